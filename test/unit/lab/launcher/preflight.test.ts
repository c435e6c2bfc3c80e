/** What the lab says on a machine that cannot run it. */
import { expect, test } from 'vitest';
import { missingPackages, requireRoot } from '../../../../lab/launcher/preflight.ts';

test('not root, not Linux', () => {
  expect(() => requireRoot('linux', 1000)).toThrow(/needs root.*sudo/);
  expect(() => requireRoot('darwin', 0)).toThrow(/Linux only \(this is darwin\)/);
  expect(() => requireRoot('linux', 0)).not.toThrow();
});

test('missing tools become packages, once each and sorted', () => {
  expect(missingPackages(() => true, true)).toEqual([]);
  expect(missingPackages((tool) => !['unshare', 'nsenter', 'crun', 'nft'].includes(tool), false)).toEqual([
    'crun',
    'debian-archive-keyring',
    'nftables',
    'util-linux',
  ]);
});
