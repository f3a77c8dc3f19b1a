import { existsSync, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RAM = '/dev/shm';

/** Bytes. More than any of the tests has in its folder at a time. */
const ROOM = 1e9;

/** A new folder in memory, where there is room for it: tests of stores wait for no disk. */
export function newRamFolder(prefix: string): string {
  return mkdtempSync(join(hasRoom() ? RAM : tmpdir(), prefix));
}

function hasRoom(): boolean {
  if (!existsSync(RAM)) return false;
  const { bavail, bsize } = statfsSync(RAM);
  return bavail * bsize > ROOM;
}
