import { describe, expect } from 'vitest';
import { type Mq, seq, test } from './mq.ts';

// The statements on behaviour of Python 3.13's page on its module `queue`, sentence by sentence, and what
// mq has for each: https://docs.python.org/3.13/library/queue.html. The page's words on shutdown were
// changed in the course of 3.13; both wordings are here. A title that has `mq:` names a difference.
//
//   Queue, LifoQueue, PriorityQueue       create --kind fifo, lifo, priority
//   put_nowait, get_nowait, timeout       -n, -t
//   Full and Empty; ShutDown              status 3; status 4
//   task_done; ValueError                 done, of a lease; status 5
//   shutdown(), shutdown(immediate=True)  close, close --now
//
// Waits, and statements that depend on the kind of queue, are shown for each kind; the rest for one of them.

const KINDS = ['fifo', 'lifo', 'priority'] as const;
type Kind = (typeof KINDS)[number];

/** The order in which a, b and c come out that were put in this order. */
const ORDER: Record<Kind, string> = { fifo: 'a b c', lifo: 'c b a', priority: 'a b c' };

/**
 * The words of the scripts here. `try` is mq, with the exit status on a line behind what it prints;
 * `leases` leases all that is there. Words that begin with `until` wait for a number: of messages in the
 * queue, of commands that wait for its messages, of commands that are connected.
 */
const PRELUDE = String.raw`
  try() { mq "$@" 2> /dev/null; echo $?; }
  fields() {
    local json=$(mq stat --json q) name
    for name; do sed -n "s/.*\"$name\":\"*\([^,\"}]*\).*/\1/p" <<< "$json"; done
  }
  unfinished() { echo $(($(fields waiting delayed leased | paste -sd +))); }
  leases() { mq get -a --lease 1h q | cut -f 1; }
  until_size() { until [ "$(mq size q)" = $1 ]; do :; done; }
  until_gets() { until [ "$(fields consumers)" = $1 ]; do :; done; }
  until_connected() { until [[ $(mq status --json) = *'"connections":'$(($1 + 1)),* ]]; do :; done; }
`;

/** Runs a script with bash. @returns the words that it prints */
async function sh(mq: Mq, script: string): Promise<string> {
  const { out, err } = await mq.sh(PRELUDE + script);
  // It says so if it cannot read the script.
  expect(err).not.toMatch(/syntax error|unexpected|command not found/);
  return out.trim().replace(/\s+/g, ' ');
}

describe.concurrent('queue', () => {
  describe('the module', () => {
    test('implements multi-producer, multi-consumer queues', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority --maxsize 10
        for i in 1 2; do mq get -f q & gets="$gets $!"; done
        seq 1 50 | mq put q & puts=$!; seq 51 100 | mq put q & puts="$puts $!"
        wait $puts; mq close q; wait $gets`,
      );
      const numbers = got.split(' ').map(Number);
      expect(numbers.sort((a, b) => a - b)).toEqual(seq(100).trim().split('\n').map(Number));
    });

    test('information is exchanged safely between threads. mq: between processes, any bytes', async ({
      mq,
    }) => {
      const got = await sh(
        mq,
        `cd "$MQ_HOME"
        for i in 1 2 3; do head -c 200000 /dev/urandom > in.$i; mq put -w q < in.$i & done; wait
        for i in 1 2 3; do mq get -w q > out.$i & done; wait
        for i in 1 2 3; do cksum < in.$i >> ins; cksum < out.$i >> outs; done
        cat in.* | wc -c; cmp <(sort ins) <(sort outs) && echo same`,
      );
      expect(got).toBe('600000 same');
    });

    test('implements all the required locking: who competes needs no lock of his own', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --maxsize 2
        for i in a b c d; do mq put -nq q $i && echo put & done; wait; mq size q
        for i in a b c d; do mq get -nq q > /dev/null && echo got & done; wait; mq size q`,
      );
      expect(got).toBe('put put 2 got got 0');
    });

    test('the three types differ only in the order in which the entries are retrieved', async ({ mq }) => {
      const got = await sh(
        mq,
        `for kind in fifo lifo priority; do
          mq create $kind --kind $kind --maxsize 3; try put -n $kind a b c d; mq get -a $kind
        done`,
      );
      expect(got).toBe('3 a b c 3 c b a 3 a b c');
    });

    test('fifo: the first tasks added are the first retrieved', async ({ mq }) => {
      expect(await sh(mq, 'mq put q a b; mq get q; mq put q c; mq get -a q')).toBe('a b c');
    });

    test('lifo: the most recently added entry is the first retrieved, as of a stack', async ({ mq }) => {
      const got = await sh(mq, 'mq create q --kind lifo; mq put q a b; mq get q; mq put q c; mq get -a q');
      expect(got).toBe('b c a');
    });

    test('priority: entries are kept sorted, and the lowest valued is retrieved first', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority
        mq put -p 2 q two; mq put -p -1 q less; mq put -p 10 q ten
        mq peek -c 9 q; mq get q; mq put -p 1 q one; mq get -a q`,
      );
      expect(got).toBe('less two ten less one two ten');
    });

    test('is not designed for reentrancy within a thread. mq: who gets can put meanwhile', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo --maxsize 1; mq put q 2
        mq get -f q | while read -r n; do
          echo $n; if [ $n -gt 0 ]; then mq put q $((n - 1)); else mq close q; fi
        done`,
      );
      expect(got).toBe('2 1 0');
    });

    test('a SimpleQueue has guarantees instead of functions. mq: each queue has both, and no such kind', async ({
      mq,
    }) => {
      expect(await sh(mq, 'try create q --kind simple; try put q a; try get q')).toBe('2 0 a 0');
    });
  });

  describe('the classes', () => {
    test('maxsize is an integer, the upper bound of the number of items', async ({ mq }) => {
      const got = await sh(
        mq,
        `try create q --kind priority --maxsize 1.5; try create q --kind priority --maxsize 2
        try put -n q a b c; mq size q`,
      );
      expect(got).toBe('2 0 3 2');
    });

    test.for(KINDS)(
      'insertion blocks once this size is reached, until items are consumed (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind} --maxsize 1
          try put q a b & until_size 1
          first=$(mq get q); wait; echo $first; mq get -n q`,
        );
        expect(got).toBe('0 a b');
      },
    );

    test('with a maxsize of 0 or less the size is infinite. mq: less is refused', async ({ mq }) => {
      const got = await sh(
        mq,
        `try create q --kind lifo --maxsize=-1; try create q --kind lifo --maxsize 0
        seq 5000 | try put -n q; try full q`,
      );
      expect(got).toBe('2 0 0 1');
    });

    test('PriorityQueue: the lowest valued entries are retrieved first, as min(entries) is', async ({
      mq,
    }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority
        for p in 5 -3 0 2147483647 -2147483648; do mq put -p $p q $p; done; mq get -a q`,
      );
      expect(got).toBe('-2147483648 -3 0 5 2147483647');
    });

    test('PriorityQueue: an entry is typically (priority_number, data)', async ({ mq }) => {
      await sh(mq, 'mq create q --kind priority; mq put -p 7 q data');
      const { out } = await mq.run(['get', '--json', 'q']);
      expect(JSON.parse(out)).toMatchObject({ priority: 7, body: 'data' });
    });

    test('PriorityQueue: data that cannot be compared is to be wrapped. mq: data is not compared', async ({
      mq,
    }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority
        mq put -p 1 q z y x; mq put -p 0 q w; mq put -p 1 q a; mq get -a q`,
      );
      expect(got).toBe('w z y x a');
    });

    test('SimpleQueue: is an unbounded fifo queue. mq: so is a queue that nobody created', async ({ mq }) => {
      const got = await sh(mq, 'seq 3 | mq put q; fields kind maxsize; try full q; mq get -a q');
      expect(got).toBe('fifo 0 1 1 2 3');
    });

    test('SimpleQueue: lacks task tracking. mq: has it', async ({ mq }) => {
      expect(await sh(mq, 'mq put q a; try join -n q; try done q $(leases); try join q')).toBe('3 0 0');
    });
  });

  describe('the exceptions', () => {
    test('Empty: when get is non-blocking and the queue is empty', async ({ mq }) => {
      expect(await sh(mq, `mq create q --kind lifo; try get -n q`)).toBe('3');
    });

    test('Full: when put is non-blocking and the queue is full', async ({ mq }) => {
      const got = await sh(mq, `mq create q --kind priority --maxsize 1; mq put q a; try put -n q b`);
      expect(got).toBe('3');
    });

    test('ShutDown: when put or get is called and the queue was shut down', async ({ mq }) => {
      expect(await sh(mq, `mq create q --kind lifo; mq close q; try put q a; try get q`)).toBe('4 4');
    });
  });

  describe('queue objects', () => {
    test('provide all the methods', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority --maxsize 2
        try put q a b; try size q; try empty q; try full q; try get q; try done q $(leases); try join q
        try close q`,
      );
      expect(got).toBe(`0 2 0 1 0 a 0 0 0 0`);
    });

    test.for(KINDS)(
      'qsize returns the approximate size. mq: exactly how many wait (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq size q; mq put q a b c; mq size q; leases > /dev/null; mq size q`,
        );
        expect(got).toBe('0 3 0');
      },
    );

    test('qsize above 0 does not guarantee that get will not block, nor below maxsize that put will not', async ({
      mq,
    }) => {
      const got = await sh(
        mq,
        `mq create q --maxsize 1
        mq size q; (mq put q other); try put -n q a
        mq size q; (mq get q); try get -n q`,
      );
      expect(got).toBe('0 3 1 other 3');
    });

    test.for(KINDS)('empty returns whether the queue is empty (%s)', async (kind, { mq }) => {
      expect(await sh(mq, `mq create q --kind ${kind}; try empty q; mq put q ''; try empty q`)).toBe('0 1');
    });

    test('empty: when true, that does not guarantee that put will not block', async ({ mq }) => {
      const got = await sh(mq, 'mq create q --maxsize 1; try empty q; (mq put q other); try put -n q a');
      expect(got).toBe('0 3');
    });

    test('empty: when false, that does not guarantee that get will not block', async ({ mq }) => {
      expect(await sh(mq, 'mq put q a; try empty q; (mq get q); try get -n q')).toBe('1 a 3');
    });

    test.for(KINDS)('full returns whether the queue is full (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind} --maxsize 2; mq put q a; try full q; mq put q b; try full q`,
      );
      expect(got).toBe('1 0');
    });

    test('full: when true, that does not guarantee that get will not block', async ({ mq }) => {
      const got = await sh(mq, 'mq create q --maxsize 1; mq put q a; try full q; (mq get q); try get -n q');
      expect(got).toBe('0 a 3');
    });

    test('full: when false, that does not guarantee that put will not block', async ({ mq }) => {
      const got = await sh(mq, 'mq create q --maxsize 1; try full q; (mq put q other); try put -n q a');
      expect(got).toBe('1 3');
    });
  });

  describe('put', () => {
    test('puts an item into the queue', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; try put q a; echo b | try put q; mq put -w q < <(printf c); mq get -a q`,
      );
      expect(got).toBe(`0 0 ${ORDER.lifo}`);
    });

    test('without a timeout blocks if necessary until a free slot is available', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority --maxsize 1; mq put q a
        try put q b & until_connected 1
        first=$(mq get q); wait; echo $first; mq get q`,
      );
      expect(got).toBe('0 a b');
    });

    test.for(KINDS)(
      'blocks at most timeout seconds, and raises Full if no slot was free (%s)',
      async (kind, { mq }) => {
        await sh(mq, `mq create q --kind ${kind} --maxsize 1; mq put q a`);
        const begun = performance.now();
        expect((await mq.run(['put', '-t', '0.3', 'q', 'b'])).status).toBe(3);
        expect(performance.now() - begun).toBeGreaterThanOrEqual(300);
        // A slot that comes in time is taken.
        expect(
          await sh(mq, 'try put -t 1h q c & until_connected 1; mq get q > /dev/null; wait; mq get q'),
        ).toBe('0 c');
      },
    );

    test.for(KINDS)(
      'else puts if a slot is free, or raises Full; timeout is ignored. mq: refused (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind} --maxsize 1
          try put -n -t 5 q a; try put -n q a; try put -n q b; mq get -a q`,
        );
        expect(got).toBe('2 0 3 a');
      },
    );

    test('raises ShutDown if the queue has been shut down', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq close q; try put q a; try put -n q a; try put -t 1h q a`,
      );
      expect(got).toBe('4 4 4');
    });

    test('put_nowait is put without blocking', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --maxsize 3; try put -n q a; try put --nowait q b; try put -t 0 q c
        try put -n q d; try put --nowait q d; try put -t 0 q d; mq get -a q`,
      );
      expect(got).toBe('0 0 0 3 3 3 a b c');
    });
  });

  describe('get', () => {
    test.for(KINDS)('removes an item and returns it (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind}; mq put q a b c; mq get q; mq size q; mq get -a q`,
      );
      expect(got).toBe(ORDER[kind].replace(' ', ' 2 '));
    });

    test.for(KINDS)(
      'without a timeout blocks if necessary until an item is available (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; try get q & until_gets 1
          echo put; mq put q a; wait`,
        );
        expect(got).toBe('put a 0');
      },
    );

    test.for(KINDS)(
      'blocks at most timeout seconds, and raises Empty if no item came (%s)',
      async (kind, { mq }) => {
        await mq.run(['create', 'q', '--kind', kind]);
        const begun = performance.now();
        expect((await mq.run(['get', '-t', '300ms', 'q'])).status).toBe(3);
        expect(performance.now() - begun).toBeGreaterThanOrEqual(300);
        // An item that comes in time is taken.
        expect(await sh(mq, 'try get -t 1h q & until_gets 1; mq put q a; wait')).toBe('a 0');
      },
    );

    test.for(KINDS)(
      'else returns an item if there is one, or raises Empty; timeout is ignored. mq: refused (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq put q a; try get -n -t 5 q; try get -n q; try get -n q`,
        );
        expect(got).toBe('2 a 0 3');
      },
    );

    test('was uninterruptible prior to 3.0. mq: what waits can be interrupted', async ({ mq }) => {
      const get = mq.start(['get', 'q']);
      await mq.run(['create', 'q', '--maxsize', '1']);
      await mq.untilConsumers('q', 1);
      get.child.kill('SIGINT');
      expect(await get.done).toMatchObject({ status: undefined, signal: 'SIGINT', out: '' });
      const put = mq.start(['put', 'q', 'a', 'b']);
      await sh(mq, 'until_size 1');
      put.child.kill('SIGINT');
      expect(await put.done).toMatchObject({ status: undefined, signal: 'SIGINT' });
      const join = mq.start(['join', 'q']);
      await sh(mq, 'until_connected 1');
      join.child.kill('SIGINT');
      expect(await join.done).toMatchObject({ status: undefined, signal: 'SIGINT' });
      // It cost nothing.
      expect(await sh(mq, 'mq get -a q')).toBe('a');
    });

    test('raises ShutDown if shut down and empty, or shut down immediately', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; mq put q a; mq close q; try get q; try get q; try get -n q
        mq open q; mq put q b; mq close --now q; try get q`,
      );
      expect(got).toBe('a 0 4 4 4');
    });

    test('get_nowait is get without blocking', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq put q a b c; try get -n q; try get --nowait q; try get -t 0 q
        try get -n q; try get --nowait q; try get -t 0 q`,
      );
      expect(got).toBe('a 0 b 0 c 0 3 3 3');
    });
  });

  describe('task_done', () => {
    test('with join tracks whether tasks have been fully processed', async ({ mq }) => {
      const got = await sh(
        mq,
        'mq put q a; lease=$(leases); try join -n q; try done q $lease; try join -n q',
      );
      expect(got).toBe('3 0 0');
    });

    test('indicates that a formerly enqueued task is complete', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; mq put q a; lease=$(leases); fields leased got done
        mq done q $lease; fields leased got done; try get -n q`,
      );
      expect(got).toBe('1 1 0 0 1 1 3');
    });

    test('is used by consumers. mq: by whoever knows the lease, be the daemon another', async ({ mq }) => {
      await mq.run(['put', 'q', 'a']);
      const { out } = await mq.run(['get', '--lease', '1h', 'q']);
      expect(out).toMatch(/^\S+\ta\n$/);
      await mq.run(['stop']);
      expect((await mq.run(['done', 'q', out.split('\t')[0] as string])).status).toBe(0);
      expect((await mq.run(['join', '-n', 'q'])).status).toBe(0);
    });

    test.for(KINDS)(
      'is called for each get. mq: of a lease; a plain get is done when it is taken (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq put q a b c; mq get q > /dev/null; set -- $(leases); unfinished
          try done q $2; unfinished; try done q $1; unfinished`,
        );
        expect(got).toBe('2 0 1 0 0');
      },
    );

    test.for(KINDS)(
      'lets a join that blocks resume when it came for every item (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq put q a b; set -- $(leases)
          try join q & until_connected 1
          mq done q $1; try join -n q; echo last; mq done q $2; wait`,
        );
        expect(got).toBe('3 last 0');
      },
    );

    test('is called by shutdown(immediate=True) for each item that remains', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq put q a; lease=$(leases); mq put q b c; unfinished
        mq close --now q; unfinished; try done q $lease; unfinished`,
      );
      expect(got).toBe('3 1 0 0');
    });

    test.for(KINDS)(
      'raises ValueError if called more times than there were items (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq put q a b; lease=$(mq get --lease 1h q | cut -f 1)
          try done q $lease; try done q $lease; try done q 1 2; try done other $lease; mq size q`,
        );
        expect(got).toBe('0 5 5 5 1');
      },
    );
  });

  describe('join', () => {
    test.for(KINDS)('blocks until all items have been gotten and processed (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind}; mq put q a b; try join -t 0.1 q
        try join q & until_connected 1
        mq get q > /dev/null; lease=$(leases); try join -n q; echo last; mq done q $lease; wait`,
      );
      expect(got).toBe('3 3 last 0');
    });

    test('the count of unfinished tasks goes up whenever an item is added', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; try join q; mq put q a; unfinished; leases > /dev/null; mq put q b c
        unfinished`,
      );
      expect(got).toBe('0 1 3');
    });

    test('the count goes down when a consumer calls task_done, not before', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq put q a b; lease=$(leases); mq size q; unfinished
        mq done q $lease; unfinished`,
      );
      expect(got).toBe('0 2 0');
    });

    test('unblocks when the count drops to zero: all who join', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; mq put q a; lease=$(leases)
        try join q & try join -t 1h q & until_connected 2
        echo last; mq done q $lease; wait`,
      );
      expect(got).toBe('last 0 0');
    });

    test('the example: a worker thread, thirty tasks, and join blocks until all are done', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q
        mq work q -- sh -c 'read -r item; echo "on $item"; echo "off $item"' & worker=$!
        seq 0 29 | mq put q
        mq join q; echo completed
        kill $worker; wait $worker 2> /dev/null; echo $?`,
      );
      const worked = Array.from({ length: 30 }, (_, i) => `on ${i} off ${i}`);
      expect(got).toBe(`${worked.join(' ')} completed 143`);
    });
  });

  describe('shutdown', () => {
    test('makes a queue prevent further interaction', async ({ mq }) => {
      expect(
        await sh(mq, 'mq create q; try close q; fields state; try put q a; try get q; try close q'),
      ).toBe('0 closed 4 4 0');
    });

    test('winds down until empty, or with a hard shutdown terminates at once', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq put q a b; mq close q; mq size q; mq close --now q; mq size q`,
      );
      expect(got).toBe('2 0');
    });

    test.for(KINDS)('makes get and put raise ShutDown (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind}; try close q; try put q a; try put -n q a; try get q; try get -n q`,
      );
      expect(got).toBe('0 4 4 4 4');
    });

    test.for(KINDS)('by default get raises only once the queue is empty (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind}; mq put q a b c; mq close q; mq get q; try get -c 5 q`,
      );
      expect(got).toBe(`${ORDER[kind]} 4`);
    });

    test.for(KINDS)('with immediate get raises immediately instead (%s)', async (kind, { mq }) => {
      expect(await sh(mq, `mq create q --kind ${kind}; mq put q a b; mq close --now q; try get q`)).toBe('4');
    });

    test.for(KINDS)('unblocks all blocked callers of get (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind}
        try get q & try get -t 1h q & until_gets 2
        mq close q; wait`,
      );
      expect(got).toBe('4 4');
    });

    test.for(KINDS)('unblocks all blocked callers of put, who raise ShutDown (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind} --maxsize 1
        try put q a b & until_size 1; try put -t 1h q c & until_connected 2
        mq close q; wait; try get q; try get q`,
      );
      expect(got).toBe('4 4 a 0 4');
    });

    test.for(KINDS)(
      'with immediate marks the items that remain as done, which may unblock join (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind}; mq put q a b
          try join q & until_connected 1
          echo close; mq close --now q; wait; unfinished`,
        );
        expect(got).toBe('close 0 0');
      },
    );

    test('the queue can no longer grow. mq: until it is opened', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq put q a; mq close q; mq put other x
        try put q b; try move other q; mq size q; try open q; try put q b; mq size q`,
      );
      expect(got).toBe('4 4 1 0 0 2');
    });

    test('future calls to put raise ShutDown, and immediate makes no difference', async ({ mq }) => {
      const got = await sh(
        mq,
        'mq create q; mq close --now q; try put q a; seq 3 | try put q; try put -n q a',
      );
      expect(got).toBe('4 4 4');
    });

    test('not immediate: get extracts the tasks that have been loaded', async ({ mq }) => {
      const got = await sh(mq, `mq create q --kind lifo; mq put q a b c; mq close q; try get -f q`);
      expect(got).toBe('c b a 0');
    });

    test('not immediate: task_done for each task that remains unblocks join', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq put q a b; mq close q
        try join q & until_connected 1
        set -- $(leases); mq done q $1; try join -n q; echo last; mq done q $2; wait`,
      );
      expect(got).toBe('3 last 0');
    });

    test('once the queue is empty, future calls to get raise ShutDown. mq: unless a lease comes back', async ({
      mq,
    }) => {
      const got = await sh(
        mq,
        `mq put q a; mq close q; lease=$(leases); try get q; mq fail --delay 0 q $lease; try get q; try get q`,
      );
      expect(got).toBe('4 a 0 4');
    });

    test('immediate: the queue is drained, the count reduced by the tasks drained', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; mq put q a; lease=$(leases); mq put q b; mq put --delay 1h q c
        mq close --now q; fields waiting delayed leased
        mq fail q $lease; fields waiting delayed leased`,
      );
      expect(got).toBe('0 0 1 0 0 0');
    });

    test('immediate: join is unblocked if nothing is unfinished. mq: in any case', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind priority; mq put q a b; leases > /dev/null
        try join q & until_connected 1
        echo close; mq close --now q; wait; fields leased; try join q`,
      );
      expect(got).toBe('close 0 2 0');
    });

    test('immediate: blocked callers of get are unblocked and raise ShutDown', async ({ mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind lifo; try get q & try get -t 1h q & until_gets 2; mq close --now q; wait`,
      );
      expect(got).toBe('4 4');
    });

    test('caution: immediate unblocks join even when no work has been done', async ({ mq }) => {
      const got = await sh(
        mq,
        'mq put q a b c; try join -n q; mq close --now q; try join q; fields put got done',
      );
      expect(got).toBe('3 0 3 0 0');
    });
  });

  describe('maxsize, changed while puts are blocked, of which the page does not speak', () => {
    test.for(KINDS)('raised: they go on (%s)', async (kind, { mq }) => {
      const got = await sh(
        mq,
        `mq create q --kind ${kind} --maxsize 1
        try put q a b c & until_size 1
        mq set q --maxsize 3; wait; mq get -a q`,
      );
      expect(got).toBe(`0 ${ORDER[kind]}`);
    });

    test.for(KINDS)(
      'lowered: nothing is dropped, and they wait until there is room (%s)',
      async (kind, { mq }) => {
        const got = await sh(
          mq,
          `mq create q --kind ${kind} --maxsize 2
          try put q a a b & until_size 2
          mq set q --maxsize 1; mq size q; mq get q; mq size q; second=$(mq get q); wait; echo $second; mq get q`,
        );
        expect(got).toBe('2 a 1 0 a b');
      },
    );
  });

  // The statements on its get, get_nowait and put_nowait, and on what qsize and empty do not guarantee,
  // are those on Queue, in the same words.
  describe('SimpleQueue', () => {
    test('empty returns whether the queue is empty. mq: 5 before the first message', async ({ mq }) => {
      expect(await sh(mq, 'try empty q; mq put q a; try empty q; mq get q; try empty q')).toBe('5 1 a 0');
    });

    test('put never blocks and always succeeds', async ({ mq }) => {
      expect(await sh(mq, 'seq 20000 | try put q; mq size q')).toBe('0 20000');
    });

    test('put: block and timeout are ignored. mq: they are checked, and then without effect', async ({
      mq,
    }) => {
      const got = await sh(mq, 'try put -n q a; try put -t 5 q b; try put -t x q c; mq get -a q');
      expect(got).toBe('0 0 2 a b');
    });

    test('put is reentrant: it can interrupt a put or a get of the same thread', async ({ mq }) => {
      const got = await sh(
        mq,
        `trap 'mq put q inner' USR1
        mkfifo "$MQ_HOME/lines"; try put q < "$MQ_HOME/lines" & put=$!; exec 9> "$MQ_HOME/lines"
        echo outer >&9; until_size 1 2> /dev/null
        kill -USR1 $$; echo again >&9; exec 9>&-; wait $put
        mq get -a q
        mq get q & get=$!; until_gets 1
        kill -USR1 $$; wait $get`,
      );
      expect(got).toBe('0 outer inner again inner');
    });

    test('so put is appropriate for destructors: in the trap of a shell that ends', async ({ mq }) => {
      expect(await sh(mq, `mq get q & (trap 'mq put q bye' EXIT; exit 1); wait`)).toBe('bye');
    });
  });

  describe('see also', () => {
    test('multiprocessing.Queue is for processes. mq: that need not live at the same time', async ({
      mq,
    }) => {
      expect(await sh(mq, 'mq put q a; mq stop; mq get q')).toBe('a');
    });

    test('deque has atomic append and popleft, and indexing. mq: peek -c, from the front', async ({ mq }) => {
      const got = await sh(
        mq,
        `for i in 1 2 3; do mq put q $i & done; wait
        mq peek -c 2 q | wc -l; mq peek -c 9 q | sort; mq size q`,
      );
      expect(got).toBe('2 1 2 3 3');
    });
  });
});
