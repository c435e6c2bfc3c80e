/** Reads the project as text: its files, what each imports, its first line. For test/architecture.test.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '..');

const skipped = new Set(['.git', '.lab', 'node_modules', 'dist', 'coverage']);

export interface SourceFile {
  /** From the top of the checkout, e.g. `controller/base/clock.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** A path from the top of the checkout, or the name of a package (`node:fs`, `zod`). */
  readonly target: string;
  readonly isPackage: boolean;
}

/** Every file below `folder` (from the top of the checkout) whose name passes `wanted`. */
export function filesBelow(folder: string, wanted: (name: string) => boolean): SourceFile[] {
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(file, wanted);
    return entry.isFile() && wanted(entry.name)
      ? [{ path: file, text: readFileSync(path.join(root, file), 'utf8') }]
      : [];
  });
}

/** Static and dynamic imports, types included. */
export function importsOf(file: SourceFile): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*'([^']+)'|import\(\s*'([^']+)'|(?:^|\n)import '([^']+)'/g;
  return [...file.text.matchAll(pattern)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    const isPackage = !name.startsWith('.');
    return { target: isPackage ? name : path.join(path.dirname(file.path), name), isPackage };
  });
}

/** Lines that are neither blank nor comment. */
export function codeLines(file: SourceFile): number {
  return withoutComments(file.text)
    .split('\n')
    .filter((line) => line.trim() !== '').length;
}

/** The text with its comments blanked out; good enough for searching words in code. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
