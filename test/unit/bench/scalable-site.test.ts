/** The bench of the scalable site reads wrk's words rightly and excuses nothing but requests on a front end that was cut. */
import { describe, expect, it, test } from 'vitest';
import type { Reaction } from '../../bench/reactions.ts';
import type { Cut } from '../../bench/site-parts.ts';
import { judge } from '../../bench/site-report.ts';
import { type Count, parsePrinted } from '../../bench/wrk.ts';

const printed = (failures: string) => `Running 30m test @ http://10.77.0.9/
  1 threads and 12 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    17.27ms   44.40ms 318.59ms   91.95%
    Req/Sec   158.82     85.06   333.00     69.23%
  Latency Distribution
     50%    2.43ms
     75%    6.70ms
     90%   45.66ms
     99%  253.29ms
  413 requests in 2.61s, 62.96KB read
${failures}Requests/sec:    158.17
Transfer/sec:     24.11KB
`;

describe('what wrk prints', () => {
  const whole = { requests: 413, perSecond: 158.17, p50: '2.43ms', p99: '253.29ms' };

  it('names no failures when there were none', () => {
    expect(parsePrinted(printed(''))).toEqual({ ...whole, badStatus: 0, socketErrors: 0 });
  });

  it('names those that occurred', () => {
    const errors =
      '  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 7\n';
    expect(parsePrinted(printed(errors))).toEqual({ ...whole, badStatus: 7, socketErrors: 4321 });
  });

  it('is refused when it is nothing of the kind', () => {
    expect(() => parsePrinted('unable to connect to 10.77.0.9:http')).toThrow(/unable to connect/);
  });
});

const good: Count = {
  address: '10.0.0.1',
  client: 'close',
  requests: 1000,
  perSecond: 500,
  badStatus: 0,
  socketErrors: 0,
  unanswered: 0,
  p50: '1ms',
  p99: '2ms',
};

function verdictOn(counts: readonly Count[], cut?: Cut) {
  return judge([{ name: 'roll', seconds: 2, counts, ...(cut === undefined ? {} : { cut }) }], []);
}

describe('the verdict', () => {
  it('passes when nothing failed under enough load', () => {
    const { lines, hasFailed } = verdictOn([good]);
    expect(lines).toEqual([
      'pass  roll: 0 of 1000 requests failed',
      'pass  roll: 500 requests/s, at least 500',
    ]);
    expect(hasFailed).toBe(false);
  });

  it.each(['badStatus', 'socketErrors', 'unanswered'] as const)('counts %s', (kind) => {
    const { lines, hasFailed } = verdictOn([good, { ...good, [kind]: 1 }]);
    expect(lines[0]).toBe('FAIL  roll: 1 of 2000 requests failed');
    expect(hasFailed).toBe(true);
  });

  it('is not passed without requests', () => {
    expect(verdictOn([{ ...good, requests: 0 }]).hasFailed).toBe(true);
  });

  it('excuses the front end that was cut, and what was handed to it, and nothing else', () => {
    const other = { ...good, unanswered: 2 };
    const down = { ...good, address: '10.0.0.2', unanswered: 24, socketErrors: 1 };
    const cut = { address: '10.0.0.2', handedOver: 2 };
    const { lines, hasFailed } = verdictOn([other, down], cut);
    expect(lines[0]).toMatch(/^pass {2}roll: 0 of 1000 .* 25 on the .* cut and 2 handed to it$/);
    expect(hasFailed).toBe(false);
    expect(verdictOn([other, down], { ...cut, handedOver: 1 }).hasFailed).toBe(true);
    expect(verdictOn([{ ...other, socketErrors: 1 }, down], cut).hasFailed).toBe(true);
    expect(verdictOn([{ ...good, badStatus: 1 }, down], cut).hasFailed).toBe(true);
  });

  it('says when the load was too small to show anything', () => {
    expect(verdictOn([{ ...good, perSecond: 499 }]).lines[1]).toMatch(/^FAIL/);
  });

  test.each([
    [1000, 'pass'],
    [1001, 'FAIL'],
  ])('of new servers that took %i ms is %s', (p95, word) => {
    const times = { count: 30, p50: 400, p95, p99: p95, max: p95 };
    const reaction: Reaction = { name: 'join', isJoin: true, times, machineLoad: 1, starved: 0 };
    const { lines } = judge([], [reaction, { ...reaction, isJoin: false }]);
    expect(lines).toEqual([`${word}  join: p95 ${p95} ms, at most 1000`]);
  });
});
