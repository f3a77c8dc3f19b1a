import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { seq, test, until } from './mq.ts';

describe('much at once', () => {
  test('a million lines go through at once, in order', async ({ mq }) => {
    const { status, out } = await mq.sh(
      'seq 1000000 | mq put q & mq get -c 1000000 q | cmp - <(seq 1000000) && wait $! && echo same',
    );
    expect(out).toBe('same\n');
    expect(status).toBe(0);
  });

  test('an endless producer and a slow reader: memory stays flat', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '10000']);
    const { out } = await mq.sh(`
      yes | mq put q & one=$!
      yes 0123456789012345678901234567890123456789 | mq put q & two=$!
      mq get -f q | (sleep 1; head -c 200000000 | wc -c)
      kill $one $two; wait`);
    expect(out).toBe('200000000\n');
    const status = JSON.parse((await mq.run(['status', '--json'])).out) as { memory: number };
    expect(status.memory).toBeLessThan(200e6);
  });

  test('a get with a slow reader holds few messages; others can have the rest', async ({ mq }) => {
    const put = 5000;
    await mq.sh(`seq -f %01000.0f ${put} | mq put q`);
    const read = join(mq.home, 'read');
    // A read in vain for a millisecond: sleep would be a process for each line.
    const slow = `exec 4<> <(:); while read -r line; do echo >> ${read}; read -rt 0.001 -u 4; done`;
    const get = mq.startSh(`exec 3< <(exec mq get -f q); ${slow} <&3`);
    await until(async () => {
      const waiting = await mq.size('q');
      const finished = statSync(read, { throwIfNoEntry: false })?.size ?? 0;
      return finished > 1000 && waiting > 0 && put - waiting - finished < 300;
    });
    get.child.kill();
    await get.done;
  });

  test('several gets can write into one pipe: each line stays whole', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(200_000));
    const gets = Array.from({ length: 4 }, () => 'mq get -a q &').join(' ');
    const { out } = await mq.sh(
      `(${gets} wait) | (sleep 0.2; cat) | sort -n | cmp - <(seq 200000) && echo whole`,
    );
    expect(out).toBe('whole\n');
  });
});
