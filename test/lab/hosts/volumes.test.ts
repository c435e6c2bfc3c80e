/** Volumes are real block devices, and a snapshot is what was on one at that moment. */
import {
  AttachVolumeCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  RebootInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Host, LabUnderTest, until } from './lab.ts';

let lab: LabUnderTest;
let host: Host;
let zone: string;
const volumes: string[] = [];
const snapshots: string[] = [];

beforeAll(async () => {
  lab = await LabUnderTest.start();
  host = await lab.boot();
  const { Reservations } = await lab.ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] }));
  zone = Reservations?.[0]?.Instances?.[0]?.Placement?.AvailabilityZone ?? '';
});

afterAll(async () => {
  await lab.end();
});

async function waitVolume(id: string, wanted: string): Promise<void> {
  await until(`${id} ${wanted}`, async () => {
    const { Volumes } = await lab.ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }));
    return Volumes?.[0]?.State === wanted ? true : undefined;
  });
}

async function newVolume(device: string, snapshot?: string): Promise<string> {
  const source = snapshot === undefined ? { Size: 1 } : { SnapshotId: snapshot };
  const { VolumeId = '' } = await lab.ec2.send(
    new CreateVolumeCommand({ AvailabilityZone: zone, ...source }),
  );
  volumes.push(VolumeId);
  await waitVolume(VolumeId, 'available');
  await lab.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: host.id, Device: device }));
  await until(device, async () => {
    const there = await lab.ssh(host, `test -b ${device} && echo yes || true`);
    return there === 'yes' ? true : undefined;
  });
  return VolumeId;
}

test('a volume can be formatted, mounted, and is still there after a reboot', async () => {
  await newVolume('/dev/xvdf');
  await lab.ssh(
    host,
    'sudo mkfs.ext4 -q /dev/xvdf && sudo mount /dev/xvdf /mnt && echo first | sudo tee /mnt/file && sync',
  );
  await lab.ec2.send(new RebootInstancesCommand({ InstanceIds: [host.id] }));
  const text = await until(
    'file after reboot',
    async () =>
      await lab
        .ssh(host, 'mountpoint -q /mnt && exit 1; sudo mount /dev/xvdf /mnt && cat /mnt/file')
        .catch(() => undefined),
  );
  expect(text).toBe('first');
});

test('a volume of a snapshot has what was synced before it, and nothing that came later', async () => {
  const [volume] = volumes;
  const { SnapshotId = '' } = await lab.ec2.send(new CreateSnapshotCommand({ VolumeId: volume }));
  snapshots.push(SnapshotId);
  await until('snapshot', async () => {
    const { Snapshots } = await lab.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId] }));
    return Snapshots?.[0]?.State === 'completed' ? true : undefined;
  });
  await lab.ssh(host, 'echo second | sudo tee /mnt/file && sync');
  await newVolume('/dev/xvdg', SnapshotId);
  const copy = 'sudo mkdir -p /copy && sudo mount /dev/xvdg /copy && cat /copy/file /mnt/file';
  expect(await lab.ssh(host, copy)).toBe('first\nsecond');
});

test('a detached volume is gone from the host and can be deleted', async () => {
  await lab.ssh(host, 'sudo umount /mnt /copy');
  for (const VolumeId of volumes) {
    await lab.ec2.send(new DetachVolumeCommand({ VolumeId }));
    await waitVolume(VolumeId, 'available');
    await lab.ec2.send(new DeleteVolumeCommand({ VolumeId }));
  }
  for (const SnapshotId of snapshots) await lab.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
  expect(await lab.ssh(host, 'ls /dev/xvd* 2>/dev/null | wc -l')).toBe('0');
});
