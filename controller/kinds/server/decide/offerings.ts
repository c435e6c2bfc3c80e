/** Which type and subnet to ask for next, and how long to wait when all are sold out. Pure. */
import type { ServerStatus } from '../../../api/server.ts';
import type { Millis } from '../../../base/clock.ts';
import type { Subnet } from '../../../cloud/port.ts';
import type { Offering } from './plan.ts';

export type LaunchFailure = NonNullable<ServerStatus['launchFailures']>[number];

const shortestWait: Millis = 30_000;
const longestWait: Millis = 5 * 60_000;

/** Every type in the first subnet, then every type in the next; `zone` narrows the subnets. */
export function listOfferings(
  types: readonly string[],
  subnets: readonly Subnet[],
  zone: string | undefined,
): readonly Offering[] {
  if (subnets.length === 0) {
    return types.map((instanceType) => (zone === undefined ? { instanceType } : { instanceType, zone }));
  }
  return subnets
    .filter((subnet) => zone === undefined || subnet.zone === zone)
    .flatMap((subnet) =>
      types.map((instanceType) => ({ instanceType, subnetID: subnet.id, zone: subnet.zone })),
    );
}

/** The first offering that may be had; the most preferred one when all are sold out, because that may have changed. */
export function firstOffering(
  offerings: readonly Offering[],
  soldOut: readonly Offering[],
): Offering | undefined {
  return offerings.find((offering) => !includesOffering(soldOut, offering)) ?? offerings[0];
}

/** The next one in this round; undefined when the round is over. */
export function nextOffering(
  offerings: readonly Offering[],
  soldOut: readonly Offering[],
  failed: Offering,
): Offering | undefined {
  const at = offerings.findIndex((offering) => isSame(offering, failed));
  return offerings.slice(at + 1).find((offering) => !includesOffering(soldOut, offering));
}

/** 30 s, 1, 2, 4, 5 minutes, by the number of failures so far. */
export function launchBackoff(failures: number): Millis {
  return Math.min(longestWait, shortestWait * 2 ** Math.max(0, failures - 1));
}

function includesOffering(list: readonly Offering[], offering: Offering): boolean {
  return list.some((other) => isSame(other, offering));
}

function isSame(left: Offering, right: Offering): boolean {
  return (
    left.instanceType === right.instanceType && left.subnetID === right.subnetID && left.zone === right.zone
  );
}
