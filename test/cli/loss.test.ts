import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import { isAlive, type Mq, seq, test, until } from './mq.ts';

/** Kills the daemon whenever `due` says so, until the command has ended. */
async function killAt(
  mq: Mq,
  count: number,
  due: (kill: number) => boolean | Promise<boolean>,
): Promise<void> {
  for (let kill = 0; kill < count; kill++) {
    await until(() => due(kill));
    await mq.killDaemon();
  }
}

/** Waits until the tables of the store have so many rows; the daemon is ended to look, and goes on after it. */
async function untilRows(mq: Mq, rows: Record<string, number>): Promise<void> {
  await until(async () => {
    await mq.run(['stop']);
    const db = new DatabaseSync(mq.store);
    const found = Object.keys(rows).map((table) => [
      table,
      db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'],
    ]);
    db.close();
    await mq.size('q');
    return JSON.stringify(Object.fromEntries(found)) === JSON.stringify(rows);
  });
}

describe('what is lost: nothing', () => {
  test('a put stream survives five SIGKILLs of the daemon, each message stored once, in order', async ({
    mq,
  }) => {
    const put = mq.startSh('seq 1000000 | mq put q');
    await killAt(mq, 5, async (kill) => (await mq.size('q')) > kill * 150_000);
    expect(await put.done).toMatchObject({ status: 0, err: '' });
    expect(await mq.sh('mq get -c 1000000 q | cmp - <(seq 1000000) && mq size q')).toMatchObject({
      status: 0,
      out: '0\n',
    });
  });

  test('a get stream survives SIGKILLs of the daemon, each message printed once, in order', async ({
    mq,
  }) => {
    await mq.sh('seq 1000000 | mq put q');
    const out = join(mq.home, 'out');
    const get = mq.startSh(`mq get -c 1000000 q > ${out}`);
    await killAt(mq, 5, (kill) => (statSync(out, { throwIfNoEntry: false })?.size ?? 0) > kill * 1_000_000);
    expect(await get.done).toMatchObject({ status: 0, err: '' });
    expect((await mq.sh(`cmp ${out} <(seq 1000000)`)).status).toBe(0);
    expect(await mq.size('q')).toBe(0);
  });

  test('a move survives SIGKILLs of the daemon: each message is in one queue, and its number is right', async ({
    mq,
  }) => {
    const count = 40_000;
    await mq.run(['create', 'from']);
    const socket = connect(mq.socket);
    let answers = 0;
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === 0x0a) answers += 1;
    });
    const frame = (body: string) => `*3\r\n$3\r\nPUT\r\n$4\r\nfrom\r\n$${body.length}\r\n${body}\r\n`;
    for (let i = 1; i <= count; i += 1000) {
      const text = Array.from({ length: 1000 }, (_, j) => frame(`${i + j}`)).join('');
      if (!socket.write(text)) await once(socket, 'drain');
    }
    await until(() => answers === count);
    socket.destroy();
    const move = mq.start(['move', 'from', 'to']);
    let killed: number | undefined;
    let killsDone = 0;
    for (; killsDone < kills(10) && move.child.exitCode === null; killsDone++) {
      await until(() => mq.daemonPid() !== killed);
      const written = () => statSync(`${mq.store}-wal`, { throwIfNoEntry: false })?.mtimeMs;
      const before = written();
      await until(() => written() !== before || move.child.exitCode !== null);
      killed = await mq.killDaemon();
      if (killsDone % 5 > 0) continue;
      const queues = (await mq.run(['ls', '--json'])).out.trim().split('\n');
      const waiting = queues.map((line) => (JSON.parse(line) as { waiting: number }).waiting);
      expect(waiting.reduce((sum, each) => sum + each, 0)).toBe(count);
    }
    expect(await move.done).toMatchObject({ status: 0, err: `mq: move from: ${count} moved to to\n` });
    expect(killsDone).toBeGreaterThan(Math.min(kills(10) - 1, 5));
    expect(await mq.size('from')).toBe(0);
    expect((await mq.run(['get', '-a', 'to'])).out).toBe(seq(count));
  });

  test('a message of 64 MiB survives SIGKILLs of the daemon while it is put: it is stored once, and nothing of it besides', async ({
    mq,
  }) => {
    await mq.run(['create', 'q']);
    const put = mq.startSh(`cd ${mq.home}; yes | head -c 64M > body; mq put -w q < body`);
    const writtenAt = () => statSync(`${mq.store}-wal`, { throwIfNoEntry: false })?.mtimeMs;
    let killed: number | undefined;
    for (let kill = 0; kill < 3; kill++) {
      await until(() => mq.daemonPid() !== killed);
      for (let writes = 0; writes < 10; writes++) {
        const before = writtenAt();
        await until(() => writtenAt() !== before);
      }
      expect(put.child.exitCode).toBe(null);
      killed = await mq.killDaemon();
    }
    expect(await put.done).toMatchObject({ status: 0, err: '' });
    await untilRows(mq, { batch: 1, chunk: 129, unused: 0 });
    expect(await mq.sh(`cd ${mq.home}; mq get -w q | cmp - body`)).toMatchObject({ status: 0 });
    await untilRows(mq, { batch: 0, chunk: 0, unused: 0 });
  });

  test('a message of 64 MiB survives SIGKILLs of the daemon, and of whoever takes it, while it is got', async ({
    mq,
  }) => {
    await mq.sh(`cd ${mq.home}; yes | head -c 64M > body; mq put -w q < body`);
    const begin = async () => {
      const socket = connect(mq.socket);
      let read = 0;
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        read += chunk.length;
        if (read > 8e6) socket.pause();
      });
      socket.write('*3\r\n$3\r\nGET\r\n$1\r\nq\r\n$4\r\nHOLD\r\n');
      await until(() => read > 8e6);
      expect(await mq.size('q')).toBe(0);
      return socket;
    };
    for (let kill = 0; kill < 2; kill++) {
      const socket = await begin();
      await mq.killDaemon();
      socket.destroy();
      expect(await mq.size('q')).toBe(1);
    }
    (await begin()).destroy();
    await until(async () => (await mq.size('q')) === 1);
    const get = mq.startSh(`cd ${mq.home}; mq get -w q > out; cmp out body`);
    await until(() => get.child.exitCode !== null || mq.daemonPid() !== undefined);
    await mq.killDaemon();
    expect(await get.done).toMatchObject({ status: 0, out: '' });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, put: 1 });
  });

  test('SIGKILLs of the daemon during a loop of puts lose nothing', async ({ mq }) => {
    const count = kills(5);
    const loop = mq.startSh(`for i in $(seq ${count * 6}); do mq put q $i || exit; done`);
    await killAt(mq, count, async (kill) => (await mq.size('q')) > kill * 5);
    expect((await loop.done).status).toBe(0);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe(seq(count * 6));
  });

  test('four consumers and two producers, daemon killed: each message comes out once', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const consumers = [1, 2, 3, 4].map(() => mq.start(['get', '-f', 'q']));
    await mq.untilConsumers('q', 4);
    const producers = [mq.startSh('seq 1 2 200000 | mq put q'), mq.startSh('seq 2 2 200000 | mq put q')];
    await killAt(mq, 5, async (kill) => Number((await mq.stat('q'))['got']) > kill * 30_000);
    for (const { done } of producers) expect((await done).status).toBe(0);
    await mq.run(['close', 'q']);
    const printed = (await Promise.all(consumers.map(({ done }) => done))).flatMap(({ stdout }) =>
      stdout.toString().trimEnd().split('\n').map(Number),
    );
    expect(printed.length).toBe(200_000);
    expect(new Set(printed).size).toBe(200_000);
  });

  test('a consumer that is killed mid-stream again and again loses nothing', async ({ mq }) => {
    const count = kills(20);
    const put = 20_000;
    await mq.run(['put', 'q'], seq(put));
    const script = `
      for i in $(seq ${count}); do
        mq get -f q >> out & pid=$!
        before=$(stat -c %s out 2>/dev/null || echo 0)
        until [ "$(stat -c %s out 2>/dev/null || echo 0)" -gt $before ] || [ "$(mq size q)" = 0 ]; do :; done
        kill -9 $pid; wait $pid
        # Give it a hundred more to lose.
        seq $((${put} + i * 100 - 99)) $((${put} + i * 100)) | mq put q
      done 2>/dev/null
      mq get -a q >> out
      sort -n -u out | cmp - <(seq ${put + count * 100}) && echo complete`;
    const { out } = await mq.sh(`cd ${mq.home}; ${script}`);
    expect(out).toBe('complete\n');
  });

  test('a consumer that is killed while its reader is slow gives back what it had not written', async ({
    mq,
  }) => {
    await mq.run(['put', 'q'], seq(100_000));
    // Nobody reads: the pipe takes 64 KiB.
    const get = mq.startSh('mq get -f q | (read -r _; echo started >&2; sleep 1000)');
    await until(async () => Number((await mq.stat('q'))['got']) > 0);
    const before = await mq.stat('q');
    expect(Number(before['leased'])).toBeGreaterThan(0);
    await mq.sh(`pkill -9 -f 'get -f q' -P ${get.child.pid} || true`);
    get.child.kill('SIGKILL');
    await mq.sh(
      `for p in $(grep -lzs "MQ_HOME=${mq.home}" /proc/[0-9]*/environ | cut -d/ -f3); do grep -qz '^sleep' /proc/$p/cmdline && kill -9 $p; tr '\\0' ' ' < /proc/$p/cmdline | grep -q 'get -f q' && kill -9 $p; done; true`,
    );
    await until(async () => (await mq.stat('q'))['leased'] === 0);
    const after = await mq.stat('q');
    expect(Number(after['waiting']) + Number(after['got'])).toBe(100_000);
    const next = Number((await mq.run(['peek', 'q'])).out);
    expect(next).toBe(Number(after['got']) + 1);
  });

  test('a closed pipe ends get by SIGPIPE, and what the pipe did not take stays', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(100_000));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash's
    const { out } = await mq.sh('mq get -f q | head -n 5; echo ${PIPESTATUS[0]}');
    expect(out).toBe('1\n2\n3\n4\n5\n141\n');
    const { waiting, got, leased } = await mq.stat('q');
    expect(leased).toBe(0);
    expect(Number(waiting) + Number(got)).toBe(100_000);
    expect(Number(waiting)).toBeGreaterThan(50_000);
    expect(Number((await mq.run(['peek', 'q'])).out)).toBe(Number(got) + 1);
  });

  test('what a full disk does not take stays in the queue (74)', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const result = await mq.run(['get', 'q'], undefined, { stdout: openSync('/dev/full', 'w') });
    expect(result).toMatchObject({
      status: 74,
      err: 'mq: get q: standard output cannot be written: no space left on device\n',
    });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\nb\n');
  });

  test('a closed standard output takes nothing (74)', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    expect((await mq.sh('mq get q >&-')).status).toBe(74);
    expect((await mq.sh('mq get q >&- <&-')).status).toBe(74);
    expect(await mq.size('q')).toBe(1);
    expect((await mq.sh('mq get q >/dev/null')).status).toBe(0);
    expect(await mq.size('q')).toBe(0);
  });

  test('a /dev/null that is open for reading too, as Python and Node hand it on, takes all', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a']);
    expect((await mq.sh('mq get q 1<>/dev/null')).status).toBe(0);
    expect((await mq.sh('mq put -w q 0<>/dev/null')).status).toBe(0);
    expect(await mq.size('q')).toBe(1);
  });

  test('a closed standard input is no empty message (2)', async ({ mq }) => {
    expect(await mq.sh('mq put -w q <&-')).toMatchObject({
      status: 2,
      err: 'mq: put q: standard input is closed; nothing was stored\n',
    });
    expect((await mq.sh('mq put q </dev/null; mq get -n q')).status).toBe(3);
  });

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends a waiting get by that signal',
    async (signal, { mq }) => {
      await mq.run(['create', 'q']);
      const get = mq.start(['get', 'q']);
      await mq.untilConsumers('q', 1);
      get.child.kill(signal);
      expect((await get.done).signal).toBe(signal);
      await mq.run(['put', 'q', 'a']);
      expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
    },
  );

  test('a get whose reader is slow hears of mq stop, also from a daemon that came after one that died', async ({
    mq,
  }) => {
    await mq.run(['put', 'q'], seq(100_000));
    const go = join(mq.home, 'go');
    const get = mq.startSh(
      `mq get -f q | { read -r first; echo reads >&2; until [ -e ${go} ]; do sleep 0.01; done; echo "$first"; cat; }
      echo "$PIPESTATUS" >&2`,
    );
    await until(() => get.err().includes('reads'));
    await until(async () => Number((await mq.stat('q'))['got']) > 0);
    await mq.killDaemon();
    const connections = async () => JSON.parse((await mq.run(['status', '--json'])).out || '{}').connections;
    await until(async () => (await connections()) > 1 || (await mq.size('q')) < 0);
    await mq.run(['stop']);
    writeFileSync(go, '');
    const { out, err } = await get.done;
    expect(err).toBe('reads\nmq: get q: the daemon was stopped\n69\n');
    // The acknowledged messages, and no others, are gone.
    expect(out + (await mq.run(['get', '-a', 'q'])).out === seq(100_000)).toBe(true);
  });

  test('an interrupted get has printed what is gone, and nothing else is', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(200_000));
    const out = join(mq.home, 'out');
    await mq.sh(`
      cd ${mq.home}; mkfifo fifo
      mq get -f q > fifo & pid=$!
      exec 3< fifo
      head -c 300000 <&3 > out
      kill -TERM $pid; wait $pid
      cat <&3 >> out
      mq get -a q >> out`);
    expect((await mq.sh(`cmp ${out} <(seq 200000)`)).status).toBe(0);
  });

  test('nor is what its reader takes while it tells the daemon what it has printed', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(200_000));
    const out = join(mq.home, 'out');
    const get = mq.startSh(`
      cd ${mq.home}; mkfifo fifo
      mq get -f q > fifo & echo $! > pid; exec 3< fifo
      head -c 300000 <&3 > out
      until [ -e go ]; do sleep 0.01; done
      cat <&3 >> out
      wait %1`);
    const written = () => {
      const pid = Number(readFileSync(join(mq.home, 'pid'), 'latin1'));
      return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
    };
    await until(() => (statSync(out, { throwIfNoEntry: false })?.size ?? 0) === 300_000);
    // The pipe is full again, and a write waits for its reader.
    await until(() => written() > 355_000);
    const daemon = mq.daemonPid() as number;
    process.kill(daemon, 'SIGSTOP');
    try {
      await mq.sh(`kill -TERM $(cat ${mq.home}/pid)`);
      await new Promise((resolve) => setTimeout(resolve, 200));
      writeFileSync(join(mq.home, 'go'), '');
      await until(() => statSync(out).size > 355_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    } finally {
      process.kill(daemon, 'SIGCONT');
    }
    await get.done;
    await mq.sh(`mq get -a q >> ${out}`);
    expect((await mq.sh(`cmp ${out} <(seq 200000)`)).out).toBe('');
  });

  test('an interrupted put says how many messages were stored', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '3']);
    const put = mq.start(['put', 'q'], { open: true });
    put.child.stdin?.write(seq(10));
    await until(async () => (await mq.size('q')) === 3);
    put.child.kill('SIGINT');
    expect(await put.done).toMatchObject({
      signal: 'SIGINT',
      err: 'mq: put q: interrupted; 3 messages were stored\n',
    });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe(seq(3));
  });

  test('waiting commands go on when the daemon dies', async ({ mq }) => {
    await mq.run(['create', 'full', '--maxsize', '1']);
    await mq.run(['create', 'q']);
    await mq.run(['put', 'full', '1']);
    const get = mq.start(['get', 'q']);
    const put = mq.start(['put', 'full', '2']);
    await mq.untilConsumers('q', 1);
    const killed = await mq.killDaemon();
    await until(() => mq.daemonPid() !== killed);
    await mq.untilConsumers('q', 1);
    await mq.run(['put', 'q', 'hello']);
    expect(await get.done).toMatchObject({ status: 0, out: 'hello\n' });
    expect((await mq.run(['get', '-c', '2', 'full'])).out).toBe('1\n2\n');
    expect((await put.done).status).toBe(0);
  });

  test('after mq stop, waiting commands end with 69, and nobody starts a daemon', async ({ mq }) => {
    await mq.run(['create', 'full', '--maxsize', '1']);
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q']);
    const put = mq.start(['put', 'full'], { input: seq(3) });
    await mq.untilConsumers('q', 1);
    await until(async () => (await mq.size('full')) === 1);
    const pid = mq.daemonPid() as number;
    expect((await mq.run(['stop'])).status).toBe(0);
    await until(() => !isAlive(pid));
    expect(await get.done).toMatchObject({ status: 69, err: 'mq: get q: the daemon was stopped\n' });
    expect(await put.done).toMatchObject({
      status: 69,
      err: 'mq: put full: the daemon was stopped; 1 message was stored\n',
    });
    expect((await mq.run(['status'])).status).toBe(69);
  });

  test('a damaged store is reported (75) and stays as it is', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['stop']);
    const garbage = Buffer.alloc(20_000, 'not a database ');
    writeFileSync(mq.store, garbage);
    for (const args of [['put', 'q', 'b'], ['get', '-n', 'q'], ['ls'], ['serve']]) {
      const result = await mq.run(args);
      expect(result.status).toBe(75);
      expect(result.err).toContain(mq.store);
      expect(result.err.split('\n').length).toBeLessThanOrEqual(args[0] === 'serve' ? 4 : 3);
    }
    expect(
      (await mq.sh(`cmp ${mq.store} <(printf 'not a database %.0s' $(seq 2000) | head -c 20000)`)).out,
    ).toBe('');
  });

  test('where the store should be there is no file: that is said in a line (77), and it stays as it is', async ({
    mq,
  }) => {
    for (const make of ['mkdir', 'mkfifo', 'ln -s nothing', 'ln -s mq.db', 'ln -s mq.log']) {
      await mq.sh(`${make} ${mq.store}`);
      const result = await mq.run(['put', 'q', 'a']);
      expect(result).toMatchObject({ status: 77 });
      expect(result.err).toMatch(/^mq: put q: the store .*mq.db is a [a-z ]+, not a file\n.*\n$/);
      expect((await mq.sh(`stat -c %F ${mq.store} && rm -r ${mq.store}`)).out).toMatch(/link|directory|fifo/);
    }
  });

  test('a put whose sync fails says that it is not known (79), and the daemon gives up: the next one has what was stored before', async ({
    mq,
    skip,
  }) => {
    await mq.run(['put', 'q', 'a']);
    const pid = mq.daemonPid() as number;
    const trace = join(mq.home, 'trace');
    const strace = mq.startSh(
      `exec strace -f -o ${trace} -e trace=fdatasync -e inject=fdatasync:error=EIO -p ${pid}`,
    );
    let isOver = false;
    void strace.done.then(() => {
      isOver = true;
    });
    await until(() => isOver || strace.err().includes('attached'));
    if (isOver) skip(`nothing can be made to fail here: ${strace.err()}`);
    expect(await mq.run(['put', 'q', 'b'])).toMatchObject({
      status: 79,
      err: expect.stringMatching(/mq.db: i\/o error: it is not known/),
    });
    await until(() => !isAlive(pid));
    expect(mq.log).toContain('mq.db: i/o error');
    await strace.done;
    const { out } = await mq.run(['get', '-a', 'q']);
    // The first is there; the fate of the second is not known.
    expect(['a\n', 'a\nb\n']).toContain(out);
  });

  test('a full disk is reported (75) with what was stored, and all goes on when there is room', async ({
    mq,
    skip,
  }) => {
    const disk = join(mq.home, 'disk');
    mkdirSync(disk);
    if ((await mq.sh(`mount -t tmpfs -o size=8m,mode=700 tmpfs ${disk}`)).status !== 0)
      skip('mount is not permitted');
    const env = { ...mq.env, MQ_HOME: join(disk, 'home') };
    try {
      await mq.run(['put', 'early', 'a'], undefined, { env });
      await mq.sh(`head -c 3000000 /dev/zero > ${disk}/ballast`);
      const put = await mq.sh('seq 2000000 | mq put q', { env });
      expect(put.status).toBe(75);
      const stored = Number(/; (\d+) messages were stored/.exec(put.err)?.[1]);
      expect(stored).toBeGreaterThan(1000);
      expect((await mq.run(['size', 'q'], undefined, { env })).out).toBe(`${stored}\n`);
      // A daemon that starts on a full disk serves.
      await mq.sh(
        `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${disk}/home/daemon.json); head -c 9000000 /dev/zero > ${disk}/rest`,
      );
      expect((await mq.run(['size', 'q'], undefined, { env })).out).toBe(`${stored}\n`);
      expect((await mq.run(['put', '-w', 'q'], Buffer.alloc(7_000_000), { env })).status).toBe(75);
      await mq.sh(`rm ${disk}/ballast ${disk}/rest`);
      expect((await mq.run(['get', '-n', 'early'], undefined, { env })).out).toBe('a\n');
      expect((await mq.sh(`mq get -a q | cmp - <(seq ${stored})`, { env })).status).toBe(0);
      expect((await mq.run(['put', 'q', 'more'], undefined, { env })).status).toBe(0);
    } finally {
      await mq.run(['stop'], undefined, { env });
      await mq.sh(`umount ${disk}`);
    }
  });

  test('where no daemon may be started, a get says so at once, and that what it printed may come again', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a']);
    const get = mq.start(['--no-start', 'get', '-c', '2', 'q']);
    // It has said so with its next GET, which waits.
    await until(async () => (await mq.stat('q'))['done'] === 1);
    await mq.killDaemon();
    expect(await get.done).toMatchObject({ status: 79, out: 'a\n' });
  });
});
