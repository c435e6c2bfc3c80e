/** The API process may die and the hosts live on; when the lab ends, in good order or not, nothing of it is left. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { AttachVolumeCommand, CreateVolumeCommand, DescribeInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { control } from '../../../lab/cli/control.ts';
import { paths } from '../../../lab/config.ts';
import { down, isUp, labInit, restartApi, up } from '../../../lab/launcher/lab.ts';
import { readSettings } from '../../../lab/settings.ts';
import { LabUnderTest, until } from './lab.ts';

const output = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8' });

const lines = (text: string, pattern: RegExp): string[] =>
  text.split('\n').filter((line) => pattern.test(line));

/** Everything the lab could leave on this computer, by kind. */
function leftovers(): Record<string, string[]> {
  const groups = output(
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount -t cgroup2 c /sys/fs/cgroup && ls /sys/fs/cgroup',
  );
  return {
    links: lines(output('ip', '-brief', 'link'), /rlhost|rlup|^v\w{12,}/),
    routes: lines(output('ip', 'route', 'show', 'table', 'all'), /10\.77\./),
    mounts: lines(readFileSync('/proc/self/mounts', 'utf8'), /\.lab\//),
    loops: lines(output('losetup', '--noheadings', '--output', 'BACK-FILE'), /ridgeline|\.lab/),
    groups: lines(groups, /ridgeline/),
    processes: lines(output('ps', '-eo', 'args'), /enter\.sh|lab\/daemon\.ts/),
    files: [paths.sandbox, paths.world, paths.settings, paths.ready, paths.environment].filter((file) =>
      existsSync(file),
    ),
  };
}

const nothing = { links: [], routes: [], mounts: [], loops: [], groups: [], processes: [], files: [] };

/** A host with a mounted volume: as much as can be left behind. */
async function populate(): Promise<LabUnderTest> {
  const lab = await LabUnderTest.start();
  const host = await lab.boot();
  const { Reservations } = await lab.ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] }));
  const zone = Reservations?.[0]?.Instances?.[0]?.Placement?.AvailabilityZone;
  const { VolumeId } = await lab.ec2.send(new CreateVolumeCommand({ AvailabilityZone: zone, Size: 1 }));
  await lab.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: host.id, Device: '/dev/xvdf' }));
  await until(
    'device',
    async () => await lab.ssh(host, 'test -b /dev/xvdf && echo yes').catch(() => undefined),
  );
  await lab.ssh(host, 'sudo mkfs.ext4 -q /dev/xvdf && sudo mount /dev/xvdf /mnt');
  return lab;
}

beforeEach(down);
afterAll(down);

test('a second up changes nothing', async () => {
  await up({ progress: () => undefined });
  const init = labInit();
  expect(await up({ progress: () => undefined })).toBe(false);
  expect(labInit()).toBe(init);
});

test('the API process is replaced, the hosts are not', async () => {
  const lab = await LabUnderTest.start();
  const host = await lab.boot();
  const bootId = await lab.ssh(host, 'cat /proc/sys/kernel/random/boot_id');
  await restartApi();
  expect(await lab.state(host)).toBe('running');
  expect(await lab.ssh(host, 'cat /proc/sys/kernel/random/boot_id')).toBe(bootId);
  // The successor rules the same machine.
  await control('POST', `instances/${host.id}/load`, { load: 2 });
  expect(await lab.ssh(host, 'cut -d" " -f1 /proc/loadavg')).toBe('2.00');
});

test('down leaves nothing, a hung host included', async () => {
  const lab = await populate();
  const host = await lab.boot();
  await control('POST', `instances/${host.id}/hang`);
  await down();
  expect(leftovers()).toEqual(nothing);
  expect(await isUp()).toBe(false);
});

test('a lab killed with SIGKILL leaves what down then removes', async () => {
  await populate();
  process.kill(labInit() ?? 0, 'SIGKILL');
  await until('end of the processes', async () =>
    leftovers()['processes']?.length === 0 ? true : undefined,
  );
  await down();
  expect(leftovers()).toEqual(nothing);
});

test('a killed lab comes up again with its keys, its world and its hosts', async () => {
  const lab = await LabUnderTest.start();
  const host = await lab.boot();
  await lab.ssh(host, 'echo kept | sudo tee /root/kept && sync');
  const settings = readSettings();
  process.kill(labInit() ?? 0, 'SIGKILL');
  await until('end', async () => (labInit() === undefined ? true : undefined));
  await up({ progress: () => undefined });
  expect(readSettings()).toEqual(settings);
  expect(
    await until('host', async () => await lab.ssh(host, 'sudo cat /root/kept').catch(() => undefined)),
  ).toBe('kept');
});
