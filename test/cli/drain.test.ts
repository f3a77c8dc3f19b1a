import { rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { test as base, Mq, until } from './mq.ts';

/** mq whose state folder is on a small disk of its own. */
class OnSmallDisk extends Mq {
  #isMounted = false;

  /** @returns why it cannot be done here; undefined when it was */
  async mount(): Promise<string | undefined> {
    const { status, err } = await this.sh(`mount -t tmpfs -o size=16m,mode=700 mq-test ${this.home}`);
    this.#isMounted = status === 0;
    return this.#isMounted ? undefined : `no small disk can be mounted here: ${err}`;
  }

  override async end(): Promise<void> {
    try {
      if (this.#isMounted) await this.run(['stop']);
    } finally {
      if (this.#isMounted) await this.sh(`umount --lazy ${this.home}`);
      await super.end();
    }
  }

  /** Takes up all the room that is left, as others do, but so many bytes. */
  fill(left = 0): void {
    expect(() => writeFileSync(this.#rest, Buffer.alloc(32 * 1024 * 1024), { flag: 'a' })).toThrow('ENOSPC');
    truncateSync(this.#rest, statSync(this.#rest).size - left);
  }

  free(): void {
    rmSync(this.#rest);
  }

  get #rest(): string {
    return join(this.home, 'rest');
  }
}

const test = base.extend<{ mq: OnSmallDisk }>({
  mq: async ({ skip }, use) => {
    const mq = new OnSmallDisk();
    const why = await mq.mount();
    if (why !== undefined) skip(why);
    await use(mq);
    await mq.end();
  },
});

/** How many messages a put says that it stored. */
function storedOf({ err }: { err: string }): number {
  const [, count] = /; (\d+|nothing|1 message) (?:messages )?(?:was|were) stored\n/.exec(err) ?? [];
  expect(count, err).toBeDefined();
  return count === 'nothing' ? 0 : Number.parseInt(count as string, 10);
}

describe('a full disk', () => {
  test('is reported by puts (75) with what was stored, and can be drained by gets; then all goes on', async ({
    mq,
  }) => {
    const put = await mq.sh('seq 100000000 | mq put q');
    expect(put).toMatchObject({ status: 75, err: expect.stringMatching(/^mq: put q: the disk is full: /) });
    const stored = storedOf(put);
    expect(stored).toBeGreaterThan(100_000);
    expect(await mq.size('q')).toBe(stored);
    mq.fill();
    // The daemon looks once a second how much room there is, and may have found some for a short message.
    await until(async () => (await mq.run(['put', 'other', 'x'])).status === 75);
    for (const input of ['x\n', 'y'.repeat(100_000)]) {
      const more = await mq.run(['put', 'q'], input);
      expect(more.status).toBe(75);
      expect(storedOf(more)).toBe(0);
    }
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({ status: 0, out: '1\n', err: '' });
    expect((await mq.run(['get', '-c', '3', 'q'])).out).toBe('2\n3\n4\n');
    expect((await mq.run(['peek', 'q'])).out).toBe('5\n');
    expect((await mq.sh(`mq get -a q | cmp - <(seq 5 ${stored})`)).status).toBe(0);
    expect((await mq.run(['put', 'q', 'again'])).status).toBe(0);
    mq.free();
    expect((await mq.sh('seq 100000 | mq put q')).status).toBe(0);
    expect((await mq.sh('mq get -a q | cmp - <(echo again; seq 100000)')).status).toBe(0);
  });

  test('of several producers each says what was stored', async ({ mq }) => {
    await mq.sh(`head -c 4000000 /dev/zero > ${mq.home}/ballast`);
    const producers = ['a', 'b', 'c', 'd'].map((name) =>
      mq.startSh(`seq -f '${name}%.0f' 100000000 | mq put q`),
    );
    // One of each: a put of single messages, too.
    const single = mq.startSh('for i in $(seq 1000); do mq put q e$i || { echo $i; break; }; done');
    const results = await Promise.all(producers.map(({ done }) => done));
    const stored = results.map((result) => {
      expect(result.status).toBe(75);
      return storedOf(result);
    });
    mq.fill();
    const last = await single.done;
    stored.push(last.out === '' ? 1000 : Number(last.out) - 1);
    expect(await mq.size('q')).toBe(stored.reduce((sum, count) => sum + count, 0));
    const all = (await mq.run(['get', '-a', 'q'])).stdout.toString().trimEnd().split('\n');
    for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      const its = all.filter((line) => line.startsWith(name));
      expect(its).toEqual(Array.from({ length: stored[i] as number }, (_, j) => `${name}${j + 1}`));
    }
  });

  test('leases, done, fail, work, purge, rm and stop go on; work --into ends with 75, and its input is back', async ({
    mq,
  }) => {
    await mq.run(['create', 'retried', '--retry-delay', '0']);
    await mq.sh('seq 500 | mq put q; seq 20 | mq put retried; seq 300 | mq put into; seq 1000 | mq put gone');
    expect((await mq.sh('seq 100000000 | mq put large')).status).toBe(75);
    mq.fill();
    const leases = (await mq.run(['get', '--lease', '1m', '-c', '2', 'q'])).out.trimEnd().split('\n');
    const [first, second] = leases.map((line) => line.split('\t')[0] as string);
    expect((await mq.run(['done', 'q', first as string])).status).toBe(0);
    expect((await mq.run(['fail', 'q', '--delay', '0', second as string])).status).toBe(0);
    const worked = await mq.run(['work', 'q', '-j', '2', '--drain', '--', 'cat']);
    expect(
      worked.out
        .trimEnd()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 499 }, (_, i) => i + 2));
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 500, failed: 1 });
    const script = 'test $MQ_ATTEMPT = 2';
    expect((await mq.run(['work', 'retried', '--drain', '--', 'sh', '-c', script])).status).toBe(0);
    expect(await mq.stat('retried')).toMatchObject({ waiting: 0, done: 20, failed: 20 });
    const into = await mq.run([
      'work',
      'into',
      '--into',
      'large',
      '--drain',
      '--',
      'sh',
      '-c',
      'head -c 100000 /dev/zero',
    ]);
    expect(into).toMatchObject({ status: 75, err: expect.stringContaining('the disk is full') });
    // Room that is given back meanwhile may do for the outputs of the first.
    await until(async () => {
      const { waiting, done } = await mq.stat('into');
      return Number(waiting) + Number(done) === 300;
    });
    const { done, failed: failures } = await mq.stat('into');
    expect({ failures, isAny: Number(done) > 10 }).toEqual({ failures: 0, isAny: false });
    expect(await mq.run(['rm', '--force', 'gone'])).toMatchObject({ status: 0 });
    const purged = await mq.run(['purge', 'large']);
    expect(purged).toMatchObject({ status: 0 });
    expect((await mq.run(['put', 'large', 'x'])).status).toBe(0);
    expect((await mq.run(['stop'])).status).toBe(0);
    expect((await mq.run(['get', '-n', 'large'])).out).toBe('x\n');
    expect((await mq.run(['get', '-a', 'into'])).out.split('\n').length).toBe(301);
  });

  test('a daemon that was stopped, or killed, starts and is drained; nothing comes twice', async ({ mq }) => {
    const stored = storedOf(await mq.sh('seq 100000000 | mq put q'));
    mq.fill();
    expect((await mq.run(['stop'])).status).toBe(0);
    expect((await mq.run(['get', 'q'])).out).toBe('1\n');
    mq.fill();
    await mq.killDaemon();
    expect((await mq.run(['get', 'q'])).out).toBe('2\n');
    const out = `/dev/shm/${mq.home.replaceAll('/', '-')}`;
    const get = mq.startSh(`mq get -c ${stored - 2} q > ${out}`);
    for (let kill = 1; kill <= 3; kill++) {
      await until(() => (statSync(out, { throwIfNoEntry: false })?.size ?? 0) > kill * 100_000);
      await mq.killDaemon();
    }
    expect(await get.done).toMatchObject({ status: 0, err: '' });
    expect((await mq.sh(`cmp ${out} <(seq 3 ${stored}); status=$?; rm ${out}; exit $status`)).status).toBe(0);
    expect(await mq.size('q')).toBe(0);
  });

  test('work goes on through SIGKILLs of the daemon; each command runs once', async ({ mq }) => {
    await mq.sh('seq 300 | mq put q');
    expect((await mq.sh('seq 100000000 | mq put large')).status).toBe(75);
    mq.fill();
    const work = mq.start(['work', 'q', '-j', '2', '--drain', '--', 'cat']);
    for (let kill = 1; kill <= 3; kill++) {
      await until(() => work.out().split('\n').length > kill * 50);
      await mq.killDaemon();
    }
    const { status, out } = await work.done;
    expect(status).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  });

  test('where even the reserve is gone, a get prints nothing (75)', async ({ mq }) => {
    const stored = storedOf(await mq.sh('seq 100000000 | mq put q'));
    // The log is in the file then, and gone: one that is there has room that can be used again.
    await mq.run(['stop']);
    rmSync(join(mq.home, 'mq.reserve'));
    // For what a daemon needs to start, and too little to record a get.
    mq.fill(96 * 1024);
    for (const args of [
      ['get', 'q'],
      ['get', '-a', 'q'],
      ['get', '--lease', '1m', 'q'],
    ]) {
      expect(await mq.run(args)).toMatchObject({
        status: 75,
        out: '',
        err: expect.stringContaining('the disk is full'),
      });
    }
    expect(await mq.size('q')).toBe(stored);
    mq.free();
    expect((await mq.run(['get', 'q'])).out).toBe('1\n');
  });

  test('a log of the daemon that cannot be written ends nothing', async ({ mq }) => {
    const serve = mq.startSh('exec mq serve 2>/dev/full');
    expect((await mq.sh('until mq status --no-start; do :; done; mq put q a; mq get q')).out).toContain(
      'a\n',
    );
    expect(serve.child.exitCode).toBe(null);
    await mq.run(['stop']);
    expect((await serve.done).status).toBe(0);
  });
});
