import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import { test, until } from './mq.ts';

describe('mq rename', () => {
  test('messages, settings and counts are there under the new name, and go on with the next daemon', async ({
    mq,
  }) => {
    await mq.run(['create', 'old', '--kind', 'lifo', '--maxsize', '5']);
    await mq.run(['put', 'old', 'a', 'b', 'c']);
    await mq.run(['get', 'old']);
    expect(await mq.run(['rename', 'old', 'new'])).toMatchObject({ status: 0, out: '', err: '' });
    await mq.run(['stop']);
    expect(await mq.stat('new')).toMatchObject({
      ...{ kind: 'lifo', maxsize: 5, waiting: 2, put: 3, done: 1, dead_letter: 'old.dead' },
    });
    expect((await mq.run(['stat', 'old'])).status).toBe(5);
    expect((await mq.run(['get', '-a', 'new'])).out).toBe('b\na\n');
  });

  test('what names it as its dead-letter queue follows', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['create', 'q.dead']);
    await mq.run(['create', 'r', '--max-attempts', '1', '--dead-letter', 'q.dead']);
    for (const queue of ['q', 'r']) await mq.run(['put', queue, queue]);
    expect((await mq.run(['rename', 'q.dead', 'graves'])).status).toBe(0);
    expect((await mq.run(['work', 'q', 'r', '--drain', '--', 'false'])).status).toBe(123);
    expect((await mq.run(['get', '-a', 'graves'])).out).toBe('q\nr\n');
    for (const queue of ['q', 'r']) expect(await mq.stat(queue)).toMatchObject({ dead_letter: 'graves' });
  });

  test('who waits waits on: get by the former name, join with the queue', async ({ mq }) => {
    await mq.run(['put', 'old', 'a']);
    await mq.run(['pause', 'old']);
    const [get, join] = [mq.start(['get', 'old']), mq.start(['join', 'old'])];
    await mq.untilConsumers('old', 1);
    await until(async () => Number(JSON.parse((await mq.run(['status', '--json'])).out).connections) >= 3);
    await mq.run(['rename', 'old', 'new']);
    await mq.run(['put', 'old', 'b']);
    expect(await get.done).toMatchObject({ status: 0, out: 'b\n' });
    expect(join.child.exitCode).toBe(null);
    await mq.run(['resume', 'new']);
    await mq.run(['get', 'new']);
    expect((await join.done).status).toBe(0);
  });

  test('one line, and the status: there is one, it is not there, something is taken, it would be its own dead-letter queue', async ({
    mq,
  }) => {
    for (const queue of ['q', 'r']) await mq.run(['put', queue, queue]);
    const refused = async (args: string[], status: number, text: string) => {
      const result = await mq.run(['rename', ...args]);
      expect(result).toMatchObject({ status, out: '', err: expect.stringContaining(text) });
    };
    await refused(['q', 'r'], 2, 'mq: rename q: there is a queue r already\n');
    await refused(['q', 'q'], 2, 'there is a queue q already');
    await refused(['none', 'new'], 5, 'there is no queue none');
    await refused(['q', 'q.dead'], 2, 'queue q.dead cannot be its own dead-letter queue');
    await refused(['q', '.bad'], 2, "'.bad' cannot be a name");
    await refused(['q'], 2, 'NEW is missing');
    await refused(['q', 'a', 'b'], 2, 'unexpected');
    const [lease] = (await mq.run(['get', '--lease', '1h', 'q'])).out.split('\t') as [string];
    await refused(['q', 'new'], 2, 'queue q has a message that somebody has taken\nmq pause q');
    await mq.run(['done', 'q', lease]);
    expect((await mq.run(['rename', 'q', 'new'])).status).toBe(0);
  });

  test('a crash of the daemon at any moment: it is renamed, once, with all that names it', async ({ mq }) => {
    await mq.run(['put', 'a', 'x', 'y']);
    await mq.run(['create', 'gives', '--dead-letter', 'a']);
    for (let i = 0; i < kills(10); i++) {
      const [from, to] = i % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
      const command = mq.start(['rename', from as string, to as string]);
      await delay(Math.random() * 120);
      await mq.killDaemon();
      expect(await command.done, `kill ${i}`).toMatchObject({ status: 0, err: '' });
      expect(await mq.stat(to as string), `kill ${i}`).toMatchObject({ waiting: 2, dead_letter: 'a.dead' });
      expect(await mq.stat('gives'), `kill ${i}`).toMatchObject({ dead_letter: to });
      expect((await mq.run(['size', from as string])).status, `kill ${i}`).toBe(5);
    }
  });
});
