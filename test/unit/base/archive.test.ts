/** The archive is one that tar reads. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packArchive } from '../../../controller/base/archive.ts';

describe('pack', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'archive-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is unpacked byte for byte by tar', () => {
    const binary = Uint8Array.from({ length: 1_025 }, (_, index) => index % 256);
    const files = [
      { path: 'environment', content: 'A=ü\0B=\n\0' },
      { path: 'work/files/data.bin', content: binary },
      { path: 'work/script', content: 'x'.repeat(512) },
      { path: 'complete', content: '' },
    ];
    execFileSync('tar', ['-xf', '-', '-C', folder], { input: packArchive(files) });
    for (const file of files) {
      expect(readFileSync(path.join(folder, file.path))).toEqual(Buffer.from(file.content));
    }
  });

  it('refuses a path it has no room for', () => {
    expect(() => packArchive([{ path: 'a'.repeat(101), content: '' }])).toThrow('longer than 100');
  });
});
