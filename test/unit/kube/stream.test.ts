/** Lines out of chunks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines } from '../../../controller/kube/stream.ts';

async function collect(chunks: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(from(chunks), 1_000)) lines.push(line);
  return lines;
}

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* await Promise.resolve(chunks);
}

test('wherever the bytes are cut, the lines are whole', async () => {
  const line = fc.string({ unit: 'binary' }).map((text) => `x${text.replaceAll('\n', '')}`);
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 9 }), async (lines, size) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect(await collect(chunks)).toEqual(lines.map((text) => Buffer.from(text).toString()));
    }),
    { numRuns: 30 },
  );
});

test('empty lines are skipped; an unfinished last line is an error after the whole ones', async () => {
  expect(await collect([Buffer.from('a\n\n\r\nb\n')])).toEqual(['a', 'b']);
  await expect(collect([Buffer.from('a\nhalf')])).rejects.toThrow('ended within a line');
});

test('silence is an error', async () => {
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a\n');
    await new Promise(() => undefined);
  }
  const lines = readLines(silent(), 30);
  expect((await lines.next()).value).toBe('a');
  await expect(lines.next()).rejects.toThrow('no byte for 0.03 s');
});
