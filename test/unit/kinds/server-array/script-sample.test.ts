/** Measuring scripts, run by the very command that hosts are given; only `sudo` is a stand-in. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FrozenScript } from '../../../../controller/api/template-revision.ts';
import {
  judgeScript,
  longestScript,
  scriptCommand,
  timeLimit,
  whyUnusable,
} from '../../../../controller/kinds/server-array/script-sample.ts';

/** A busy computer takes its time to start a process. */
vi.setConfig({ testTimeout: 60_000 });

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ridgeline-measure-'));
  const sudo = path.join(folder, 'sudo');
  writeFileSync(sudo, '#!/bin/sh\n[ "$1 $2 $3" = "-n -u nobody" ] || exit 99\nshift 3\nexec "$@"\n');
  chmodSync(sudo, 0o755);
});

afterAll(() => rmSync(folder, { recursive: true }));

function script(text: string, more: Partial<FrozenScript> = {}): FrozenScript {
  return {
    name: 'jobs',
    text,
    sha256: '',
    interpreter: '/bin/bash',
    runAs: 'nobody',
    timeoutSeconds: 1800,
    retries: 0,
    onInterruption: 'Fail',
    ...more,
  };
}

function measure(one: FrozenScript, limit = 20_000) {
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}`, TMPDIR: folder };
  const { status, stdout } = spawnSync('sh', ['-c', scriptCommand(one, limit)], { env, encoding: 'utf8' });
  return judgeScript({ exitCode: status ?? -1, stdout }, limit);
}

describe('a script measures', () => {
  test.each([
    ['echo 42', 42],
    ["printf ' 0.5\\n\\n'", 0.5],
    ['echo -1', -1],
    ['echo 1e3', 1_000],
    ['echo noise >&2; echo "$(( 6 * 7 ))"', 42],
  ])('%s', (text, value) => {
    expect(measure(script(text))).toEqual({ value });
  });

  test('with the default values of its inputs, in its own interpreter', () => {
    const inputs = [{ name: 'QUEUE', default: "it's 7", required: false, sensitive: false }];
    expect(measure(script('echo "${QUEUE#* }"', { inputs, interpreter: '/bin/sh' }))).toEqual({ value: 7 });
  });

  test('and leaves no file behind', () => {
    measure(script('echo 1'));
    expect(readdirSync(folder)).toEqual(['sudo']);
  });
});

describe('what is no number is told', () => {
  test.each([
    ['true', 'printed nothing'],
    ['echo many', 'printed "many" instead of one number'],
    ['echo 1 2', 'printed "1 2" instead of one number'],
    ['echo NaN', 'printed "NaN" instead of one number'],
    ['echo 0x10', 'printed "0x10" instead of one number'],
    ['echo 5; exit 3', 'exited 3'],
  ])('%s', (text, problem) => {
    expect(measure(script(text))).toEqual({ problem });
  });

  test('also that it took too long', () => {
    expect(measure(script('sleep 30; echo 1'), 1_000)).toEqual({ problem: 'no answer within 1 s' });
  });

  test('and cut short, however much it is', () => {
    // A time limit that was reached would be another problem.
    expect(measure(script('yes yes | tr -d "\\n"'))).toMatchObject({
      problem: expect.stringMatching(/^(printed "(yes)+y?e?…"|exited 141)/),
    });
  });

  test('what it leaves running holds nobody up', () => {
    const started = performance.now();
    expect(measure(script('setsid sleep 60 & echo 3'), 2_000)).toEqual({ value: 3 });
    expect(performance.now() - started).toBeLessThan(45_000);
  });
});

test('it is over before the next period begins, and after 10 s at most', () => {
  expect(timeLimit(script(''), 60_000)).toBe(10_000);
  expect(timeLimit(script(''), 5_000)).toBe(5_000);
  expect(timeLimit(script('', { timeoutSeconds: 2 }), 60_000)).toBe(2_000);
});

test.each([
  [{}, undefined],
  [{ inputs: [{ name: 'DB', required: true, sensitive: false }] }, 'needs the input DB, and measuring'],
  [{ packages: ['jq'] }, 'brings packages'],
  [{ text: 'x'.repeat(longestScript + 1) }, 'is longer than 64 KiB'],
])('a script with %j', (more, problem) => {
  const found = whyUnusable(script('echo 1', more));
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(problem);
});
