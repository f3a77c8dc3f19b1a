/** Milliseconds. Far above what a busy machine needs, and below the time that a test has (vitest.config.ts). */
const LIMIT = 100_000;

/** Waits for a condition; says which one it was when it does not come. */
export async function until(condition: () => boolean | Promise<boolean>, limit = LIMIT): Promise<void> {
  const error = new Error(`waited ${limit / 1000} s in vain until ${textOf(condition)}`);
  // The line that waits.
  Error.captureStackTrace(error, until);
  const end = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > end) throw error;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The condition as it was written, as far as it goes on a line. */
function textOf(condition: () => unknown): string {
  const text = String(condition)
    .replace(/^(async )?\(\) => /, '')
    // Vitest writes imported names with their module.
    .replaceAll(/\(0, ?__\w+_import_\d+__\.(\w+)\)|__\w+_import_\d+__\.(\w+)/g, '$1$2')
    .replaceAll(/\s+/g, ' ');
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
