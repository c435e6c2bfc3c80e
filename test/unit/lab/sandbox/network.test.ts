/** Names and addresses of a machine's interface. */
import { expect, test } from 'vitest';
import { cableName, hardwareAddress } from '../../../../lab/sandbox/network.ts';

test('an address always has the same hardware address', () => {
  expect(hardwareAddress('10.77.32.4')).toBe('02:4d:0a:4d:20:04');
  expect(hardwareAddress('10.77.32.5')).not.toBe(hardwareAddress('10.77.32.4'));
});

test('an interface name is short enough for the kernel and tells instances apart', () => {
  const name = cableName('i-0123456789abcdef0');
  expect(name.length).toBeLessThanOrEqual(15);
  expect(name).not.toBe(cableName('i-0123456789abcdef1'));
});
