/** What is said of the ways to a cluster, and whose proxies the servers of an array run. */
import { describe, expect, test } from 'vitest';
import { endpointsConditionOf, ownArrays } from '../../../controller/routes/verdict.ts';
import { around, cluster, proxied, verdictRows } from './verdict-rows.ts';

describe('the ways to a cluster', () => {
  test.each(verdictRows)('%s', (_, context, ways, [, reason, message]) => {
    expect(endpointsConditionOf(context, ways)).toEqual({ reason, message });
  });
});

test.each([
  ['no other wants them', [], ['app', 'web']],
  ['a younger one wants them', [cluster(proxied, 'young', 2027)], ['app', 'web']],
  ['an older one has one of them', [cluster(proxied, 'old', 2025)], ['web']],
])('a cluster has the arrays it asks for: %s', (_, others, arrays) => {
  const context = around({ localProxy: { arrays: ['app', 'web'] } }, { others });
  expect([...ownArrays(context)]).toEqual(arrays);
});
