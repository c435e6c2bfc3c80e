/** A small world on a scratch folder with a clock the test owns. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LaunchOrder } from '../../../../lab/world/launches.ts';
import type { Region, Subnet } from '../../../../lab/world/model.ts';
import { labRegion } from '../../../../lab/world/region.ts';
import { World } from '../../../../lab/world/world.ts';

export const REGION: Region = labRegion({
  name: 'us-east-1',
  cidr: '10.77.0.0/16',
  gateway: '10.77.0.1',
  nameServer: '10.77.0.2',
  images: [{ id: 'ami-0d13000000000001a', name: 'debian', creationDate: '2026-11-01T00:00:00.000Z' }],
});

/** Gone when the test that asks for it has ended. */
export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ridgeline-world-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

export function openWorld(dir = scratchDir(), now: () => number = () => 1_000_000): World {
  return new World({ dir, region: REGION, now });
}

export function subnetA(): Subnet {
  const [subnet] = REGION.subnets;
  if (!subnet) throw new Error('the region has no subnet');
  return subnet;
}

/** An order for the plainest machine in zone a. */
export function plainOrder(token?: LaunchOrder['token']): LaunchOrder {
  return {
    subnet: subnetA(),
    instance: {
      imageId: 'ami-0d13000000000001a',
      type: 't3.micro',
      securityGroupIds: [],
      spot: false,
      terminationProtected: false,
      shutdownBehavior: 'stop',
      metadata: { hopLimit: 2, tags: false },
      tags: {},
    },
    volumes: [{ device: '/dev/xvda', sizeGiB: 8, type: 'gp3', deleteOnTermination: true }],
    volumeTags: {},
    ...(token ? { token } : {}),
  };
}
