/** The machine's container: what it gets, and what it must not get. */
import { expect, test } from 'vitest';
import { ociConfig, parseLimits } from '../../../../lab/sandbox/oci.ts';

const status = (bounding: string): string => `Name:\tnode\nCapBnd:\t${bounding}\nCapAmb:\t0000000000000000\n`;
const limitsText =
  'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\n';

test('hands on only capabilities this process may hand on', () => {
  // Bits 0, 1 and 12: CHOWN, DAC_OVERRIDE, NET_ADMIN.
  expect(parseLimits(status('0000000000001003'), limitsText)).toEqual({
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'NET_ADMIN'],
    openFiles: 20_000,
  });
});

test('withholds what would reach the whole computer', () => {
  const { capabilities } = parseLimits(status('000001ffffffffff'), limitsText);
  expect(capabilities).toContain('SYS_ADMIN');
  for (const name of ['SYS_TIME', 'SYS_MODULE', 'SYS_RAWIO', 'LINUX_IMMUTABLE'])
    expect(capabilities).not.toContain(name);
});

test('says so when /proc looks different', () => {
  expect(() => parseLimits('', limitsText)).toThrow('cannot read the limits');
});

test('boots systemd with the limits, devices and files it was given', () => {
  const config = ociConfig(
    {
      hostname: 'ip-10-77-32-4',
      root: '/lab/root',
      networkNamespace: '/run/netns/i-1',
      cgroup: '/ridgeline-lab/i-1',
      devices: [{ path: '/dev/xvdf', major: 7, minor: 3 }],
      binds: [
        { source: '/lab/loadavg', destination: '/proc/loadavg', writable: false },
        { source: '/lab/console', destination: '/dev/console', writable: true },
      ],
    },
    { capabilities: ['CHOWN'], openFiles: 500 },
  );
  expect(config).toMatchObject({
    hostname: 'ip-10-77-32-4',
    root: { path: '/lab/root' },
    process: {
      args: ['/sbin/init', 'systemd.log_target=journal'],
      capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 500, soft: 500 }],
    },
    linux: {
      cgroupsPath: '/ridgeline-lab/i-1',
      devices: [{ path: '/dev/xvdf', type: 'b', major: 7, minor: 3 }],
    },
  });
  expect(config).toHaveProperty('linux.namespaces', [
    ...['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    { type: 'network', path: '/run/netns/i-1' },
  ]);
  expect((config as { mounts: object[] }).mounts.slice(-2)).toEqual([
    { destination: '/proc/loadavg', type: 'bind', source: '/lab/loadavg', options: ['bind', 'ro'] },
    { destination: '/dev/console', type: 'bind', source: '/lab/console', options: ['bind', 'rw'] },
  ]);
});
