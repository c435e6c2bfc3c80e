/** The licences of the packages in a bundle: most ask to stay with copies of their code. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';

/** Folders of the packages that have a part in any output, sorted; relative to where esbuild ran. */
export function packagesOf({ outputs }: Metafile): readonly string[] {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  // The innermost, for a package may have packages of its own.
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].toSorted();
}

/** One text with name, version, licence and the licence's words of each package below `root`. */
export async function readLicences(root: string, folders: readonly string[]): Promise<string> {
  const parts = await Promise.all(folders.map((folder) => readLicence(path.join(root, folder))));
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function readLicence(folder: string): Promise<string> {
  const text = await readFile(path.join(folder, 'package.json'), 'utf8');
  const { name, version, license } = JSON.parse(text) as Readonly<Record<string, string | undefined>>;
  const files = (await readdir(folder))
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .toSorted();
  const words = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  // Some name their licence only in words.
  const title = [name, version, ...(license === undefined ? [] : [`(${license})`])].join(' ');
  return [title, ...words.map((one) => one.trim())].join('\n\n').concat('\n');
}
