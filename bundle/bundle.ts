/** The controller as it ships: each of its two threads as one file, with the licences of what is in them. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { packagesOf, readLicences } from './licences.ts';
import { keepLines } from './source-map.ts';
import { dropUnused } from './unused.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Name in the bundle -> source. Beside each other, for the one starts the other by its file name. */
const entryPoints = { main: 'controller/main.ts', 'sweep-worker': 'controller/cloud/sweep-worker.ts' };

/** Parts of packages that are compiled on the machine, which we never do; their packages manage without. */
const native = ['cpu-features', '*.node'];

/** All but the folder to write to. */
export const options = {
  absWorkingDir: root,
  entryPoints,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  // For a Node program esbuild prefers CommonJS, of which it cannot leave anything out: AWS's EC2 client is 2 MB of it.
  mainFields: ['module', 'main'],
  plugins: [dropUnused],
  external: native,
  // What CommonJS code expects to find.
  define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
} satisfies BuildOptions;

/**
 * Writes `main.mjs`, `sweep-worker.mjs`, their source maps and LICENSES.txt into `folder`. They need nothing beside them.
 * Returns what went into them.
 */
export async function bundleController(folder: string): Promise<Metafile> {
  const { outputFiles, metafile } = await build({ ...options, outdir: folder, write: false });
  await mkdir(folder, { recursive: true });
  for (const file of outputFiles) {
    await writeFile(file.path, file.path.endsWith('.map') ? keepLines(file.text) : asciiOnly(file.text));
  }
  await writeFile(path.join(folder, 'LICENSES.txt'), await readLicences(root, packagesOf(metafile)));
  return metafile;
}

/** One character beyond ASCII makes the whole text take twice the memory. Only comments have any: in code they are escaped. */
function asciiOnly(text: string): string {
  return text.replaceAll(/\P{ASCII}/gu, '?');
}
