import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { Schedule } from '../../src/work/schedule.ts';

/** A schedule, and what it has let begin and refused so far. */
function scheduled(jobs: number, clock = () => 0, perTurn = 1) {
  const schedule = new Schedule<number>(jobs, clock, perTurn);
  const begun: number[] = [];
  const refused: number[] = [];
  const take = (...messages: number[]) => {
    for (const message of messages)
      void schedule.turn(message).then((may) => (may ? begun : refused).push(message));
    schedule.taken(messages);
  };
  return { schedule, begun, refused, take };
}

/** Long enough for all that is due. */
async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

describe('a schedule', () => {
  test('says how many of those that it wants are taken ahead', async () => {
    let time = 0;
    const { schedule, take } = scheduled(2, () => time);
    expect([schedule.wanted(), schedule.ahead]).toEqual([2, 0]);
    take(1, 2, 3, 4);
    await turns();
    for (const message of [1, 2, 3]) {
      schedule.ended(message);
      schedule.over(message);
      await turns();
    }
    time = 20;
    expect([schedule.wanted(), schedule.ahead]).toEqual([4, 3]);
    take(5);
    await turns();
    expect([schedule.wanted(), schedule.ahead]).toEqual([3, 3]);
  });

  test('refuses those messages that have not begun, when it is told which', async () => {
    const { schedule, begun, refused, take } = scheduled(1);
    take(1, 2, 3, 4);
    await turns();
    schedule.refuse((message) => message % 2 === 1);
    await turns();
    expect([begun, refused]).toEqual([[1], [3]]);
    for (const message of [1, 3]) schedule.over(message);
    await turns();
    expect(begun).toEqual([1, 2]);
  });

  test('wants as many messages as there are jobs, and lets so many begin, in their order', async () => {
    const { schedule, begun, take } = scheduled(2);
    expect(schedule.wanted()).toBe(2);
    take(1, 2, 3);
    await turns();
    expect(begun).toEqual([1, 2]);
    expect(schedule.wanted()).toBeLessThan(1);
    schedule.ended(2);
    schedule.over(2);
    await turns();
    expect(begun).toEqual([1, 2, 3]);
  });

  test('lets one command begin in each turn of the event loop', async () => {
    const { begun, take } = scheduled(3);
    take(1, 2, 3);
    for (const count of [1, 2, 3]) {
      await turn();
      expect(begun.length).toBeLessThanOrEqual(count);
    }
    await turns();
    expect(begun).toEqual([1, 2, 3]);
  });

  test('lets twice as many be settled at a time as there are jobs', async () => {
    const { schedule, begun, take } = scheduled(1);
    take(1, 2, 3);
    await turns();
    schedule.ended(1);
    void schedule.mayAsk();
    await turns();
    schedule.ended(2);
    void schedule.mayAsk();
    await turns();
    expect(begun).toEqual([1, 2]);
    schedule.over(1);
    await turns();
    expect(begun).toEqual([1, 2, 3]);
  });

  test('asks the daemon once there is not enough to begin', async () => {
    let time = 0;
    const { schedule, begun, take } = scheduled(1, () => time);
    take(1);
    await turns();
    schedule.ended(1);
    schedule.over(1);
    // One command in 10 ms: two are likely to begin in the time of a request.
    time = 20;
    expect(schedule.wanted()).toBe(2);
    take(2, 3, 4, 5);
    await turns();
    schedule.ended(2);
    let asked: number[] | undefined;
    void schedule.mayAsk().then(() => {
      asked = [...begun];
    });
    await turns(1);
    expect(asked).toBeUndefined();
    await turns();
    expect(begun).toEqual([1, 2, 3]);
    expect(asked).toEqual([1, 2, 3]);
  });

  test('where starting them takes no time, it begins all that can, and asks for several at a time', async () => {
    let time = 0;
    const { schedule, begun, take } = scheduled(2, () => time, Number.POSITIVE_INFINITY);
    take(1, 2);
    await turns(2);
    expect(begun).toEqual([1, 2]);
    for (const message of [1, 2]) {
      schedule.ended(message);
      schedule.over(message);
    }
    time = 20;
    expect(schedule.wanted()).toBe(4);
    take(3, 4, 5, 6);
    await turns();
    schedule.ended(3);
    let asked = false;
    void schedule.mayAsk().then(() => {
      asked = true;
    });
    await turns();
    // All jobs are busy; a little later it is asked all the same.
    expect({ begun, asked }).toEqual({ begun: [1, 2, 3, 4, 5], asked: false });
    await vi.waitFor(() => expect(asked).toBe(true));
  });

  test('while it is paused nothing begins or is taken, and what was taken goes back', async () => {
    const { schedule, begun, refused, take } = scheduled(2);
    schedule.pause(true);
    take(1, 2);
    await turns();
    expect({ begun, refused, wanted: schedule.wanted() }).toEqual({ begun: [], refused: [1, 2], wanted: 0 });
    for (const message of [1, 2]) schedule.over(message);
    schedule.pause(false);
    expect(schedule.wanted()).toBe(2);
  });

  test('wants more messages when commands are short, and the jobs only when they are long', async () => {
    let time = 0;
    const { schedule, take } = scheduled(1, () => time);
    for (let message = 0; message < 20; message++) {
      take(message);
      await turns(3);
      schedule.ended(message);
      schedule.over(message);
    }
    time = 40;
    expect(schedule.wanted()).toBe(10 + 1);
    time = 1000;
    expect(schedule.wanted()).toBe(1);
  });

  test('sends back what was taken ahead and does not begin in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      let time = 0;
      const { schedule, begun, refused, take } = scheduled(1, () => time);
      take(1);
      await turns();
      schedule.ended(1);
      schedule.over(1);
      time = 20;
      schedule.wanted();
      take(2, 3);
      await turns();
      vi.advanceTimersByTime(99);
      await turns();
      expect(refused).toEqual([]);
      vi.advanceTimersByTime(1);
      await turns();
      expect({ begun, refused }).toEqual({ begun: [1, 2], refused: [3] });
    } finally {
      vi.useRealTimers();
    }
  });

  test('sends back what has not begun when it is stopped, and lets nothing begin any more', async () => {
    const { schedule, begun, refused, take } = scheduled(1);
    take(1, 2);
    await turns();
    schedule.stop();
    await turns();
    expect({ begun, refused }).toEqual({ begun: [1], refused: [2] });
    take(3);
    await turns();
    expect(refused).toEqual([2, 3]);
  });
});
