/** What a host's answer to the sampling command means, from this very machine and from written ones. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import {
  cpuBetween,
  parseSample,
  sampleCommand,
} from '../../../../controller/kinds/server-array/sample-command.ts';

const written = `load 1.50 0.90 0.40 2/120 4711
cpus 4
uptime 1000.50 3000.00
proc cpu 100 5 50 9000 10 2 3 0 0 0
meminfo 8000 2000
`;

test('a real Linux answers with load, memory and CPU', () => {
  const sample = parseSample(execFileSync('sh', ['-c', sampleCommand], { encoding: 'utf8' }));
  expect(sample.load).toBeGreaterThanOrEqual(0);
  expect(sample.cpus).toBeGreaterThanOrEqual(1);
  expect(sample.cpuTime).toBeGreaterThan(0);
  expect(sample.memory).toBeGreaterThan(0);
  expect(sample.memory).toBeLessThanOrEqual(100);
});

describe('a written answer', () => {
  test('counts the whole machine without a cgroup', () => {
    const sample = parseSample(written);
    expect(sample).toEqual({ load: 1.5, cpus: 4, uptime: 1_000_500, cpuTime: 1_600, memory: 75 });
  });

  test('counts the cgroup where there is one', () => {
    const sample = parseSample(`${written}usage 5000000\ncgroup 100 400\n`);
    expect(sample).toMatchObject({ cpuTime: 5_000, memory: 25 });
  });

  test('falls back to the machine when the cgroup has no limit', () => {
    expect(parseSample(`${written}cgroup 100 max\n`).memory).toBe(75);
  });

  test.each(['', 'load\ncpus\nuptime\nproc\nmeminfo\nusage\ncgroup\n', 'rubbish 1 2 3'])(
    'may say nothing: %j',
    (text) => {
      expect(parseSample(text)).toEqual({});
    },
  );
});

describe('CPU between two samples', () => {
  const at = (uptime: number, cpuTime: number) => ({ uptime, cpuTime, cpus: 2 });

  test('is the share of all CPUs', () => {
    expect(cpuBetween(at(0, 0), at(10_000, 5_000))).toBe(25);
  });

  test('is unknown across a restart of the host', () => {
    expect(cpuBetween(at(90_000, 5_000), at(10_000, 100))).toBeUndefined();
    expect(cpuBetween(at(1_000, 5_000), at(10_000, 100))).toBeUndefined();
    expect(cpuBetween({}, at(10_000, 100))).toBeUndefined();
  });
});
