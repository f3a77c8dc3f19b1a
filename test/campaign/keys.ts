import type { Item, Put } from './accounts.ts';
import { makeMessage } from './message.ts';
import { numberTold } from './producers.ts';
import { specOf } from './queues.ts';
import type { Random } from './random.ts';
import { checkStatus, finish, ranOutOfPatience } from './status.ts';
import { Feed } from './stdio.ts';
import type { World } from './world.ts';

const QUEUE = 'keys';

/** Few keys, so that most are held at any time. */
const KEYS = ['a', 'b', 'c', 'key with spaces', 'schlüssel'];

/** Puts with a key: they do nothing while the key is held, and succeed. */
export class Keys {
  readonly #option: '--key' | '--id';

  /** @param help the help of mq put */
  constructor(help: string) {
    this.#option = help.includes('--key') ? '--key' : '--id';
  }

  async put(world: World, random: Random): Promise<void> {
    const { size } = specOf(QUEUE);
    const serial = world.nextSerial();
    const bytes = makeMessage(random, serial, random.between(0, size), 'text');
    const key = random.pick(KEYS);
    const isWhole = random.chance(0.3);
    const input = isWhole ? new Feed(world.pipes) : undefined;
    const args = ['put', this.#option, key, QUEUE, ...(isWhole ? ['-w'] : [bytes.toString()])];
    const run = world.start('producer', args, { stdin: input?.far });
    const put = world.accounts.newPut(QUEUE, run, { key });
    world.accounts.newItem(put, String(serial), bytes.length);
    const feeding = input?.give(run, [{ bytes, after: 0 }], () => world.isEnding);
    await finish(world, run, 3000);
    await feeding;
    checkStatus(world, run, [0]);
    const told = numberTold(run.errors);
    const be = (least: number, most: number, why: string) => world.accounts.settle(put, least, most, why);
    if (run.status === 0) be(0, 1, 'status 0');
    else if (told !== undefined) be(0, told, `${told} told`);
    else if (run.status === 79 || run.signal !== undefined) be(0, 1, 'it may be stored');
    else be(0, 0, run.end);
    if (run.signal !== undefined && ranOutOfPatience(run))
      world.accounts.allow('put interrupted, and after 3 s without a word');
  }
}

/** Finds keys that two messages held at a time, and puts that succeeded and stored nothing, with a key that was free. */
export function checkKeys(world: World): void {
  const puts = world.accounts.puts.filter(({ key }) => key !== undefined);
  for (const put of puts) {
    const [item] = put.items as [Item];
    const others = puts.filter(({ key }) => key === put.key).filter((each) => each !== put);
    if (wasSeen(item)) checkAlone(world, put, others);
    else if (succeeded(put)) checkHeld(world, put, others);
  }
}

/** No other message had the key for sure during the put: from the end of its own put until a command that took it began. */
function checkAlone(world: World, put: Put, others: Put[]): void {
  for (const other of others) {
    const [item] = other.items as [Item];
    if (!wasSeen(item) || !succeeded(other)) continue;
    const from = other.run?.ended as number;
    const to = Math.min(...item.sightings.map(({ run }) => run.began));
    if (from < (put.run?.began as number) && (put.run?.ended as number) < to)
      world.accounts.violate('key twice', `key ${put.key} was held`, [item, ...put.items]);
  }
}

/** Another message had the key at some time of the put: it was not gone before the put began. */
function checkHeld(world: World, put: Put, others: Put[]): void {
  const began = put.run?.began as number;
  const ended = put.run?.ended as number;
  const isHeld = others.some((other) => {
    const [item] = other.items as [Item];
    if ((other.run?.began as number) > ended || !wasSeen(item)) return false;
    const gone = item.sightings.map(({ goneBy = Number.POSITIVE_INFINITY }) => goneBy);
    return Math.min(...gone) >= began;
  });
  if (!isHeld)
    world.accounts.violate('lost', `it was put with key ${put.key}, which nothing held`, put.items);
}

function wasSeen({ sightings }: Item): boolean {
  return sightings.length > 0;
}

function succeeded({ run }: Put): boolean {
  return run?.status === 0;
}
