/** Which waiting servers share one launch request. Pure. */
import type { LaunchBatch } from '../../api/launch-batch.ts';
import { maxSlots } from '../../api/launch-batch.ts';
import { finalizer } from '../../api/meta.ts';
import type { Server, ServerStatus } from '../../api/server.ts';
import type { Instant, Millis } from '../../base/clock.ts';

export type LaunchWish = NonNullable<ServerStatus['launchRequest']>;

/** A server that asks for a machine. */
export interface Waiting {
  readonly server: Server;
  readonly wish: LaunchWish;
}

export interface Grouping {
  /** Servers of one future batch each, oldest wish first. */
  readonly groups: readonly (readonly Waiting[])[];
  /** More may join: look again after this long. */
  readonly recheckAfter?: Millis;
}

/** How many machines may still be launched, and how busy launches are. */
export interface Situation {
  /** So many more machines the account may have. */
  readonly room: number;
  /** Batches of the account that were created lately. */
  readonly recent: number;
  readonly now: Instant;
}

interface Window {
  /** A batch closes when nobody joined for this long … */
  readonly idle: Millis;
  /** … or when its first server has waited this long. */
  readonly longest: Millis;
}

const shortWindow: Window = { idle: 100, longest: 1_000 };
/** While many servers are made: EC2 answers two launch requests a second, of however many machines each. */
const longWindow: Window = { idle: 1_000, longest: 3_000 };
/** So many recent batches mean that more servers are on their way than come within a short window. */
const burst = 3;
/** Batches this young are recent. */
export const recentSpan: Millis = 10_000;

/**
 * Servers that wait for a launch and have no batch yet. A server without our finalizer is never launched: deleting it
 * would leave its machine behind.
 */
export function waitingServers(
  servers: readonly Server[],
  batches: readonly LaunchBatch[],
): readonly Waiting[] {
  const claimed = new Set(
    batches.flatMap(({ spec }) =>
      spec.slots.map((slot) => claimOf(slot.serverUID, slot.incarnation, slot.attempt)),
    ),
  );
  return servers
    .flatMap((server) => {
      const wish = openWish(server);
      return wish === undefined ? [] : [{ server, wish }];
    })
    .filter(({ server, wish }) => !claimed.has(claimOf(server.metadata.uid, wish.incarnation, wish.attempt)))
    .toSorted(byAge);
}

/** Groups at most `room` servers, each group when its own window has closed. `waiting` is sorted oldest first. */
export function groupWaiting(waiting: readonly Waiting[], { room, recent, now }: Situation): Grouping {
  const window = recent >= burst ? longWindow : shortWindow;
  const alike = Map.groupBy(waiting.slice(0, Math.max(0, room)), groupKey);
  const groups = [...alike.values()].flatMap((servers) => chunksOf(servers, maxSlots));
  const left = groups.map((group) => windowLeft(group, window, now)).filter((ms) => ms > 0);
  return {
    groups: groups.filter((group) => windowLeft(group, window, now) <= 0),
    ...(left.length > 0 && { recheckAfter: Math.min(...left) }),
  };
}

/** What a server asks for, when it still does. */
function openWish({ metadata, status }: Server): LaunchWish | undefined {
  const { launchRequest, instanceID, launchFailures = [] } = status ?? {};
  if (launchRequest === undefined || instanceID !== undefined) return undefined;
  if (metadata.deletionTimestamp !== undefined || metadata.finalizers?.includes(finalizer) !== true)
    return undefined;
  const hasFailed = launchFailures.some((failure) => failure.attempt === launchRequest.attempt);
  return hasFailed ? undefined : launchRequest;
}

/** Everything that must be equal for one request to serve all. */
function groupKey({ server, wish }: Waiting): string {
  const { metadata, spec } = server;
  return [
    metadata.namespace,
    spec.deploymentRef.name,
    wish.template,
    wish.revision,
    wish.instanceType,
    wish.subnetID ?? '',
    wish.zone ?? '',
  ].join(' ');
}

/** A full batch waits for nobody. */
function windowLeft(group: readonly Waiting[], window: Window, now: Instant): Millis {
  if (group.length >= maxSlots) return 0;
  const ages = group.map(({ wish }) => now - Date.parse(wish.requestTime));
  const idle = window.idle - Math.min(...ages);
  const longest = window.longest - Math.max(...ages);
  return Math.min(idle, longest);
}

function byAge(left: Waiting, right: Waiting): number {
  return Date.parse(left.wish.requestTime) - Date.parse(right.wish.requestTime);
}

function claimOf(uid: string, incarnation: number, attempt: number): string {
  return `${uid} ${incarnation} ${attempt}`;
}

function chunksOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
