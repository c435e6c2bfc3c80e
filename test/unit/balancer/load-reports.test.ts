/** Loads of several balancers add up, and are as old as the oldest. */
import { expect, test } from 'vitest';
import { LoadReports } from '../../../controller/balancer/load-reports.ts';

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
