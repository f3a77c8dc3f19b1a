import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { entryOf, FOLDERS, isLazy, rulesOf } from '../src/build/folders.ts';

interface Import {
  path: string;
  /** Gone when the program runs. */
  isType: boolean;
  /** By import(). */
  isLazy: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const imports = new Map(files.map((file) => [file, importsOf(file)]));

describe('imports run one way', () => {
  test.each(files)('%s', (file) => {
    for (const { path } of imports.get(file) as Import[]) {
      if (isPackage(path)) continue;
      const [own, other] = [entryOf(file), entryOf(path)];
      // A file that has rules of its own is still in its folder.
      const isBeside = other === own || dirname(path) === dirname(file);
      const may = [...rulesOf(file).imports, ''];
      expect(isBeside || may.includes(other) || may.includes(dirname(path)), `${file} imports ${path}`).toBe(
        true,
      );
    }
  });

  test('there is no circle of files', () => {
    const passed = new Set<string>();
    const visit = (file: string, way: readonly string[]) => {
      expect(way, 'a circle').not.toContain(file);
      if (passed.has(file)) return;
      for (const { path } of imports.get(file) ?? []) visit(path, [...way, file]);
      passed.add(file);
    };
    for (const file of files) visit(file, []);
  });

  test('each file has a name of its own, but for those of a verb', () => {
    const verbs = files.flatMap((file) => /^commands\/(.*)$/.exec(file)?.[1] ?? []);
    const names = files.map((file) => basename(file)).filter((name) => !verbs.includes(name));
    expect(twiceIn(names)).toEqual([]);
  });

  test('each class and each type has a name of its own', () => {
    const names = files.flatMap((file) =>
      [...textOf(file).matchAll(/^(?:export )?(?:abstract )?(?:class|interface|type) (\w+)/gm)].map(
        ([, name]) => name as string,
      ),
    );
    expect(twiceIn(names)).toEqual([]);
  });

  test('each folder of the list is there', () => {
    for (const name of Object.keys(FOLDERS))
      expect(
        files.some((file) => file === name || file.startsWith(`${name}/`)),
        name,
      ).toBe(true);
  });
});

describe('what put and get run', () => {
  const hot = reachable(['main.ts', 'commands/put.ts', 'commands/get.ts']);

  test.each(hot)('%s loads no library, nor what is loaded only when it is needed', (file) => {
    expect(rulesOf(file).isHot ?? entryOf(file) === '', file).toBe(true);
    for (const { path } of eager(file)) {
      if (isPackage(path)) expect(path).toMatch(/^node:/);
      else expect(isLazy(path), path).toBe(false);
    }
  });
});

function eager(file: string): Import[] {
  return (imports.get(file) ?? []).filter(({ isLazy, isType }) => !isLazy && !isType);
}

/** These files, and what they import at once. */
function reachable(from: string[]): string[] {
  const found = new Set(from);
  for (const file of found) for (const { path } of eager(file)) if (!isPackage(path)) found.add(path);
  return [...found];
}

function isPackage(path: string): boolean {
  return !path.endsWith('.ts') && !path.endsWith('.json');
}

/** By paths in src/. */
function importsOf(file: string): Import[] {
  const found = textOf(file).matchAll(
    /^(?:import|export)\s(type\s)?(?:[^;']*?\sfrom\s)?'([^']+)'|\bimport\('([^']+)'\)/gm,
  );
  return [...found].map(([, type, now, later]) => {
    const path = (now ?? later) as string;
    return {
      path: path.startsWith('.') ? normalize(join(dirname(file), path)) : path,
      isType: type !== undefined,
      isLazy: later !== undefined,
    };
  });
}

function textOf(file: string): string {
  return readFileSync(join('src', file), 'utf8');
}

function twiceIn(names: readonly string[]): string[] {
  return names.filter((name, i) => names.indexOf(name) < i);
}
