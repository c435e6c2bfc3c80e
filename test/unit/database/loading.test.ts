/** Which dump is the newest, and the job that loads it. Real hosts run it in test/contract. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { loadingJob, newestDump } from '../../../controller/database/loading.ts';
import { root } from '../../source-tree.ts';
import { mySQL } from './preparations.ts';

const url = "https://dumps.test/shop-20261122000000.gz?X-Amz-Signature='secret'";

describe('the newest dump', () => {
  it('is the one with the latest time in its name', () => {
    const keys = ['d/shop-20261122235959.gz', 'd/shop-20261123000000.gz', 'd/shop-20251231000000.gz'];
    expect(newestDump(keys, 'd/shop-')).toEqual({ key: 'd/shop-20261123000000.gz', ignored: [] });
  });

  it('has nothing before or after its time, and a time that exists', () => {
    const ignored = [
      'd/shop-eu-20270101000000.gz',
      'd/shop-20270101000000.sql.gz',
      'd/shop-20270101000000',
      'd/shop-2027010100000.gz',
      'd/shop-20270231000000.gz',
      'd/shop-20271301000000.gz',
      'd/shop-20270101240000.gz',
      'd/shop-latest.gz',
    ];
    expect(newestDump([...ignored, 'd/shop-20240229000000.gz'], 'd/shop-')).toEqual({
      key: 'd/shop-20240229000000.gz',
      ignored,
    });
  });

  it('is missing under another prefix', () => {
    expect(newestDump(['20261123000000.gz', 'e/20261123000000.gz'], 'd/')).toEqual({
      key: undefined,
      ignored: [],
    });
    expect(newestDump(['20261123000000.gz'], '')).toMatchObject({ key: '20261123000000.gz' });
  });
});

describe('the job', () => {
  const job = loadingJob('load-1', mySQL, { url, database: 'shop' });

  test('is as agreed, and bash reads it', async () => {
    execFileSync('bash', ['-n'], { input: job.script });
    await expect(job.script).toMatchFileSnapshot(
      path.join(root, 'test', 'golden', 'database', 'loading-mysql.sh'),
    );
  });

  it('keeps the URL out of the script and makes the first data', () => {
    expect(job.environment['RL_DUMP_URL']).toBe(url);
    expect(job.script).not.toContain('X-Amz-Signature');
    expect(job.script).toContain("initialise='yes'\n");
  });
});
