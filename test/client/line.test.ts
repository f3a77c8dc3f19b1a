import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Line } from '../../src/client/line.ts';
import { MqError } from '../../src/errors.ts';
import type { Request } from '../../src/protocol/requests.ts';
import { OK } from '../../src/protocol/values.ts';
import { FakeDaemon } from './fake-daemon.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = new FakeDaemon();
  await daemon.listen();
});
afterEach(() => daemon.end());

const open = (deadline = Infinity, holds = false) =>
  Line.open({ places: daemon.places, start: false, deadline }, holds);
const done = (lease: string): Request => ({ verb: 'DONE', queue: 'q', ids: [], leases: [lease] });
const size: Request = { verb: 'SIZE', queue: 'q' };
const leasesOf = (requests: Request[] | undefined) =>
  requests?.map((request) => (request.verb === 'DONE' ? request.leases[0] : request.verb));
const code = async (promise: Promise<unknown>) => {
  try {
    return await promise;
  } catch (error) {
    return error instanceof MqError ? error.code : error;
  }
};

describe('a line to the daemon', () => {
  test('answers requests in their order', async () => {
    daemon.serves = [(request) => (request.verb === 'SIZE' ? 7 : 1)];
    const line = await open();
    expect(await Promise.all([line.ask(done('1.a')), line.ask(size)])).toEqual([1, 7]);
  });

  test('sends again what had no answer when the daemon died, in its order, and nothing else', async () => {
    let answers = 0;
    daemon.serves = [() => (answers++ < 1 ? 1 : 'die'), () => 1];
    const line = await open();
    await Promise.all(['1.a', '2.b', '3.c'].map((lease) => line.ask(done(lease))));
    expect(leasesOf(daemon.asked[1])).toEqual(['2.b', '3.c']);
  });

  test('a step that is to happen once has the same name when it is sent again', async () => {
    daemon.serves = [() => 'die', () => 1];
    const line = await open();
    await Promise.all([line.ask(done('1.a')), line.ask(done('2.b'))]);
    const onces = daemon.asked.map((requests) => requests.map((each) => 'once' in each && each.once));
    expect(onces[1]?.[0]).toMatchObject({ seq: 0, acked: 0 });
    expect(onces[1]?.[0]).toEqual(onces[0]?.[0]);
    expect(onces[1]?.[1]).toMatchObject({ seq: 1, acked: 0 });
    await line.ask(done('3.c'));
    expect(daemon.asked[1]?.at(-1)).toMatchObject({ once: { seq: 2, acked: 2 } });
  });

  test('says so on the new connection before anything is sent again', async () => {
    daemon.serves = [() => 'die', () => 1];
    const line = await open();
    line.onReopened = (connection) => void connection.request(size);
    await line.ask(done('1.a'));
    expect(leasesOf(daemon.asked[1])).toEqual(['SIZE', '1.a']);
  });

  test('an error that is the answer is the answer', async () => {
    daemon.serves = [() => new MqError('NOLEASE', 'gone')];
    expect(await code((await open()).ask(done('1.a')))).toBe('NOLEASE');
  });

  test('what was sent and changes something is not known when nobody answers any more', async () => {
    daemon.serves = [() => 'silent'];
    const line = await open(0);
    expect(await Promise.all([code(line.ask(done('1.a'))), code(line.ask(size))])).toEqual([
      'UNKNOWN',
      'UNREACHABLE',
    ]);
  });

  test('nor when the next daemon cannot be had', async () => {
    daemon.serves = [
      () => {
        daemon.close();
        return 'die';
      },
    ];
    const line = await open();
    expect(await Promise.all([code(line.ask(done('1.a'))), code(line.ask(size))])).toEqual([
      'UNKNOWN',
      'NODAEMON',
    ]);
  });

  test('nor when the next daemon is stopped; what no other had heard of was not done', async () => {
    const put: Request = {
      verb: 'PUT',
      queue: 'q',
      messages: { count: 1, bytes: Buffer.from('$1\r\na\r\n') },
      priority: 0,
      timeout: Infinity,
    };
    daemon.serves = [() => 'die', () => 'stop', () => 'stop'];
    expect(await code((await open()).ask(put))).toBe('UNKNOWN');
    expect(await code((await open()).ask(put))).toBe('STOPPED');
  });

  test('what was asked when the daemon had died already was not done', async () => {
    daemon.serves = [() => 1];
    const line = await open();
    await line.ask(done('1.a'));
    daemon.close();
    daemon.die();
    // It has heard of that.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await code(line.ask(done('2.b')))).toBe('NODAEMON');
  });

  test('where messages are held, comes back at once, though nothing is asked', async () => {
    daemon.serves = [() => 1, () => 1];
    const line = await open(Infinity, true);
    await line.ask(size);
    const reopened = new Promise<unknown>((resolve) => {
      line.onReopened = resolve;
    });
    daemon.die();
    await reopened;
    expect(daemon.asked).toHaveLength(2);
    line.destroy();
  });

  test('an answer with the code LOST is an answer, and not the loss of the daemon', async () => {
    daemon.serves = [() => new MqError('LOST', 'the pipe')];
    expect(await code((await open()).ask(done('1.a')))).toBe('LOST');
    expect(daemon.asked).toHaveLength(1);
  });

  test('a request with its own text for UNKNOWN leaves that open, whether or not a daemon has received it', async () => {
    daemon.serves = [() => 1, () => 'stop'];
    const unknown = 'it may come again';
    const error = { code: 'UNKNOWN', message: expect.stringMatching(/: it may come again$/) };
    const lines = [await open(), await open()] as const;
    await lines[0].ask(size);
    await expect(lines[1].request(done('1.a'), { unknown })).rejects.toMatchObject(error);
    daemon.close();
    daemon.die();
    await expect(lines[0].request(done('1.a'), { unknown })).rejects.toMatchObject(error);
    // The line has ended for good.
    await expect(lines[0].request(done('2.b'), { unknown })).rejects.toMatchObject(error);
  });

  test('a stream is asked for again when the daemon dies before it answers', async () => {
    daemon.serves = [() => 'die', () => OK];
    const line = await open();
    const pipe = () =>
      ({ verb: 'PIPE', pipe: 'p', direction: 'both', timeout: 0, pid: undefined }) satisfies Request;
    expect(await line.upgrade(pipe)).toMatchObject({ rest: Buffer.alloc(0) });
    expect(daemon.asked.map((requests) => requests.length)).toEqual([1, 1]);
  });
});
