/** Processes are found again by identity and stopped for good. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runningPid, startProcess, stopProcess, waitForProcess } from '../../../lab/process.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-process-'));
});

afterEach(async () => {
  await stopProcess(dir, 'job', 0);
  rmSync(dir, { recursive: true, force: true });
});

function job(script: string, lifetime: 'child' | 'daemon' = 'daemon') {
  return { name: 'job', command: 'sh', args: ['-c', script], dir, lifetime } as const;
}

test.each(['child', 'daemon'] as const)('a %s runs once and is found by its pid file', (lifetime) => {
  const pid = startProcess(job('sleep 60', lifetime));
  expect(runningPid(dir, 'job')).toBe(pid);
  expect(startProcess(job('sleep 60', lifetime))).toBe(pid);
});

test('a pid file whose process is another one by now names nobody', async () => {
  const pid = startProcess(job('sleep 60'));
  writeFileSync(path.join(dir, 'other.pid'), `${pid} 12345\n`);
  expect(runningPid(dir, 'other')).toBeUndefined();
  await stopProcess(dir, 'other', 0);
  expect(runningPid(dir, 'job')).toBe(pid);
});

test('a process that ignores the request to end is ended by force', async () => {
  startProcess(job("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
  await stopProcess(dir, 'job', 150);
  expect(runningPid(dir, 'job')).toBeUndefined();
});

test('waiting for a process that ends shows the end of its log', async () => {
  const spec = job('echo no port for me; exit 3');
  startProcess(spec);
  await expect(waitForProcess(spec, () => Promise.resolve(false), 5_000)).rejects.toThrow(
    /job ended[^]*no port for me/,
  );
});

test('waiting has a deadline', async () => {
  const spec = job('sleep 60');
  startProcess(spec);
  await expect(waitForProcess(spec, () => Promise.resolve(false), 100)).rejects.toThrow(
    /not ready after 0.1 s/,
  );
});
