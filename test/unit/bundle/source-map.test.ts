/** Smaller source maps lead to the same lines, as Node itself reads them. */
import { SourceMap } from 'node:module';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { keepLines } from '../../../bundle/source-map.ts';

/** Two of our files, one of which is far from the top of the bundle, and a package between them. */
function bundle() {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `export * from './controller/runtime/store.ts'; export * from 'croner'; export * from './controller/runtime/queue.ts';`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    write: false,
    format: 'esm',
    sourcemap: 'external',
    outfile: 'out.js',
    external: ['zod'],
  });
  const text = (end: string) => outputFiles.find((file) => file.path.endsWith(end))!.text;
  return { code: text('.js'), map: text('.map') };
}

const parse = (map: string) => new SourceMap(JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0]);

test('every position of our code leads to the line it led to before, and of a package to its file', () => {
  const { code, map } = bundle();
  const [full, small] = [parse(map), parse(keepLines(map))];
  let ours = 0;
  for (const [line, text] of code.split('\n').entries()) {
    for (let column = 0; column < text.length; column += 1) {
      const before = full.findEntry(line, column);
      const after = small.findEntry(line, column);
      if (!('originalLine' in before) || !('originalLine' in after)) continue;
      expect(after.originalSource).toBe(before.originalSource);
      if (before.originalSource.includes('node_modules')) continue;
      expect(after.originalLine).toBe(before.originalLine);
      ours += 1;
    }
  }
  expect(ours).toBeGreaterThan(5_000);
});

test('the map is a fraction of what it was', () => {
  const { map } = bundle();
  const sizeOf = (text: string) => (JSON.parse(text) as { mappings: string }).mappings.length;
  expect(sizeOf(keepLines(map))).toBeLessThan(sizeOf(map) / 3);
});
