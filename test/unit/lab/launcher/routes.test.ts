/** Reading routes: who else uses the lab's subnet. */
import { expect, test } from 'vitest';
import { foreignRoute, hasGuard, overlaps, parseRoutes } from '../../../../lab/launcher/routes.ts';

const cidr = '10.77.0.0/16';
const ours = `[
  {"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
  {"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"192.0.2.2","flags":[]},
  {"dst":"10.77.0.0/16","dev":"rlhost","protocol":"kernel","scope":"link","prefsrc":"10.77.255.254","flags":[]},
  {"type":"unreachable","dst":"10.77.0.0/16","dev":"lo","metric":4000000,"flags":[]}
]`;

test('neither the default route nor the lab itself is in the way', () => {
  expect(foreignRoute(parseRoutes(ours), cidr)).toBeUndefined();
});

test.each(['10.77.3.0/24', '10.0.0.0/8', '10.77.0.1', '10.77.0.0/16'])('a route to %s is', (dst) => {
  const route = { dst, dev: 'eth1' };
  expect(foreignRoute([...parseRoutes(ours), route], cidr)).toEqual(route);
});

test('blocks overlap when one contains the other', () => {
  expect(overlaps('10.76.0.0/16', cidr)).toBe(false);
  expect(overlaps('0.0.0.0/0', cidr)).toBe(true);
  expect(overlaps('fd00::/8', cidr)).toBe(false);
});

test('the guard is recognized by type and metric', () => {
  expect(hasGuard(parseRoutes(ours), cidr)).toBe(true);
  expect(hasGuard(parseRoutes(ours.replace('4000000', '100')), cidr)).toBe(false);
  expect(hasGuard(parseRoutes(''), cidr)).toBe(false);
});
