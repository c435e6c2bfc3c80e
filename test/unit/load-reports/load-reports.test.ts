/** Loads of several balancers add up, and are as old as the oldest; counters of answers become answers in a span of time. */
import { describe, expect, test } from 'vitest';
import { LoadReports } from '../../../controller/load-reports/load-reports.ts';

test('adds up what all balancers say of a server', () => {
  const reports = new LoadReports();
  expect(reports.of('s')).toBeUndefined();
  reports.report('www', new Map([['s', { at: 10, sessions: 2, queued: 1 }]]));
  reports.report('api', new Map([['s', { at: 7, sessions: 3, queued: 0 }]]));
  expect(reports.of('s')).toEqual({ at: 7, sessions: 5, queued: 1 });
  reports.report('api', new Map());
  expect(reports.of('s')).toEqual({ at: 10, sessions: 2, queued: 1 });
  reports.forget('www');
  expect(reports.of('s')).toBeUndefined();
});

describe('answers', () => {
  const count = (counter: string, requests: number, failures: number) => ({
    server: 's',
    counter,
    requests,
    failures,
  });

  test('add up over front ends, and telescope over spans of time', () => {
    const reports = new LoadReports();
    reports.count([count('a', 1_000, 900), count('b', 500, 0)], 5_000);
    reports.count([count('a', 1_010, 901), count('b', 520, 0)], 10_000);
    reports.count([count('a', 1_040, 905), count('b', 520, 2)], 15_000);
    expect(reports.answers('s', 5_000, 15_000)).toEqual({ requests: 60, failures: 7 });
    expect(reports.answers('s', 5_000, 10_000)).toEqual({ requests: 30, failures: 1 });
    expect(reports.answers('s', 10_000, 15_000)).toEqual({ requests: 30, failures: 6 });
    expect(reports.answers('s', 12_000, 14_000)).toEqual({ requests: 0, failures: 0 });
    expect(reports.answers('other', 0, 15_000)).toEqual({ requests: 0, failures: 0 });
  });

  test('of a counter that begins anew, or comes back, are counted from there', () => {
    const reports = new LoadReports();
    reports.count([count('a', 100, 90)], 5_000);
    reports.count([count('a', 3, 3)], 10_000);
    reports.count([count('a', 8, 3)], 15_000);
    expect(reports.answers('s', 0, 15_000)).toEqual({ requests: 5, failures: 0 });
    reports.count([], 140_000);
    reports.count([count('a', 5_000, 5_000)], 145_000);
    expect(reports.answers('s', 15_000, 145_000)).toEqual({ requests: 0, failures: 0 });
  });

  test('are remembered for two minutes, however often they are counted', () => {
    const reports = new LoadReports();
    for (let at = 0; at <= 600_000; at += 250) reports.count([count('a', at / 250, 0)], at);
    const half = reports.answers('s', 590_000, 595_000).requests;
    expect(Math.abs(half - 20)).toBeLessThanOrEqual(4);
    expect(half + reports.answers('s', 595_000, 600_000).requests).toBe(
      reports.answers('s', 590_000, 600_000).requests,
    );
    expect(Math.abs(reports.answers('s', 0, 600_000).requests - 480)).toBeLessThanOrEqual(8);
  });
});
