/** Names and numbers of a detour. */
import { expect, test } from 'vitest';
import { detourDevices, detourNumbers } from '../../../../lab/sandbox/detour.ts';

test('its interfaces differ from each other and from another machine’s, and fit into the kernel', () => {
  const names = ['i-0123456789abcdef0', 'i-0123456789abcdef1'].flatMap((id) =>
    Object.values(detourDevices(id)),
  );
  expect(new Set(names).size).toBe(6);
  expect(Math.max(...names.map(({ length }) => length))).toBeLessThanOrEqual(15);
});

test('neighbors have other VXLANs and relays', () => {
  const [one, two] = ['10.77.32.4', '10.77.32.5'].map((address) => detourNumbers(address));
  expect(new Set([one?.near, one?.far, two?.near, two?.far]).size).toBe(4);
  expect(detourNumbers('10.77.255.254')).toEqual({
    near: 131_070,
    far: 131_071,
    relayAddress: '198.18.255.254',
  });
});
