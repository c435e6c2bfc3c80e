/** Keeps package-lock.json installable: `node test/lock-file.ts` drops optional packages that no entry backs. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const lockFile = path.join(import.meta.dirname, '..', 'package-lock.json');

export interface Lock {
  readonly packages: Record<string, { optionalDependencies?: Record<string, string> }>;
}

/**
 * Names of optional dependencies that some package lists and the lock file does not hold. npm leaves out those that
 * its registry does not have (programs for other platforms), and then refuses its own lock file in `npm ci`.
 */
export function danglingOptionals(lock: Lock): string[] {
  const held = new Set(
    Object.keys(lock.packages).map((key) => key.slice(key.lastIndexOf('node_modules/') + 13)),
  );
  const wanted = Object.values(lock.packages).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}),
  );
  return [...new Set(wanted.filter((name) => !held.has(name)))].toSorted();
}

function dropDanglingOptionals(lock: Lock): void {
  const dangling = danglingOptionals(lock);
  for (const { optionalDependencies } of Object.values(lock.packages)) {
    for (const name of dangling) delete optionalDependencies?.[name];
  }
}

if (import.meta.main) {
  const lock = JSON.parse(readFileSync(lockFile, 'utf8')) as Lock;
  dropDanglingOptionals(lock);
  writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
}
