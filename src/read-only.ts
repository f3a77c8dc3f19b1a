import { readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Whether somebody forbade writing at a path that answers EROFS: its mount is read-only, and the file system behind
 * it is not (`docker run -v ...:ro`, `mount -o remount,ro,bind`). A file system that is read-only itself may be
 * mended, as after an error of its disk (errors=remount-ro).
 */
export function isForbidden(path: string): boolean {
  const place = `${existing(path)}/`;
  const found = mounts().filter(({ point }) => place.startsWith(point === '/' ? point : `${point}/`));
  // The later of two mounts at one place is the visible one.
  const [mount] = found.reverse().sort((one, other) => other.point.length - one.point.length);
  if (mount === undefined) return false;
  return mount.options.includes('ro') && !mount.superOptions.includes('ro');
}

interface Mount {
  point: string;
  options: string[];
  superOptions: string[];
}

/** The lines of proc_pid_mountinfo(5): `id parent device root point options [tags...] - type source super-options`. */
function mounts(): Mount[] {
  return linesOf('/proc/self/mountinfo').map((line) => {
    const [mount, fileSystem] = line.split(' - ').map((part) => part.split(' '));
    return {
      point: unescaped(mount?.[4] ?? ''),
      options: (mount?.[5] ?? '').split(','),
      superOptions: (fileSystem?.[2] ?? '').split(','),
    };
  });
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** The text with octal escapes replaced: blanks and backslashes are written so. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The nearest existing folder on the way to a path, without links. */
function existing(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === dirname(path) ? path : existing(dirname(path));
  }
}
