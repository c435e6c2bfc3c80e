/** Turns servers that wait for a machine into launch batches, never beyond the account's `maxServers`. */

import type { Accounts, OpenAccount } from '../../accounts/port.ts';
import { listInScope } from '../../accounts/scope.ts';
import { countServers } from '../../accounts/spending.ts';
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { attestationKey, type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import type { AnyObject, ObjectKey } from '../../api/meta.ts';
import { controllerRevisions } from '../../api/resource.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { readTemplateRevision, revisionName } from '../../api/template-revision.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Logger } from '../../base/log.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { draftBatch, nameOf } from './draft.ts';
import { type Grouping, groupWaiting, recentSpan, type Waiting, waitingServers } from './group.ts';
import type { LaunchMetrics } from './metrics.ts';
import { addressesThatFit } from './user-data.ts';

export interface PlannerPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly failpoints: Failpoints;
  readonly metrics: LaunchMetrics;
  /** This installation's tag value. */
  readonly installation: string;
  /** The namespaces this process looks after; empty = all. */
  readonly namespaces: readonly string[];
}

/** Upload addresses work this long; a batch is not replayed any more well before. */
const addressLife: Millis = 60 * 60_000;
/** Until the first sweep, and while the account is full. */
const recheck: Millis = 5_000;

/**
 * One key per account: the runtime never works on a key twice at once, so counting and claiming cannot interleave and
 * `maxServers` holds however many servers ask at the same time.
 */
export function createLaunchPlanner(ports: PlannerPorts): KindController {
  const startedAt = ports.clock.now();
  return {
    name: 'launch-planner',
    resource: cloudAccountKind,
    workers: 2,
    // News come from every server, and a look is at all of them.
    rest: 100,
    watches: [
      { resource: serverKind, wakes: accountOf },
      { resource: launchBatchKind, wakes: (object) => [(object as LaunchBatch).spec.accountRef] },
      { resource: siteDeploymentKind, wakes: () => [] },
      { resource: controllerRevisions, wakes: () => [] },
    ],
    reconcile: (key, context) => reconcile(ports, startedAt, key, context),
  };
}

async function reconcile(
  ports: PlannerPorts,
  startedAt: Instant,
  key: ObjectKey,
  { now, log }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, cache, accounts, namespaces } = ports;
  const account = cache.get(cloudAccountKind, key);
  const servers = cache.list(serverKind).filter((server) => server.status?.accountRef?.name === key.name);
  // News come often while many servers are made, and the live list is dear: only a group that is due is worth it.
  const isOurs = (batch: LaunchBatch) => batch.spec.accountRef.name === key.name;
  const known = cache.list(launchBatchKind).filter(isOurs);
  const guess = groupsOf({ servers, batches: known, now, room: Number.POSITIVE_INFINITY });
  if (account === undefined || guess === undefined) return {};
  if (guess.groups.length === 0) return { after: guess.recheckAfter ?? recheck };
  const opened = await accounts.open(account);
  // Live and complete: a claim missed here could launch a second machine for the same slot.
  const all = await listInScope(kube, launchBatchKind, namespaces);
  const batches = all.filter(isOurs);
  const isResumed = batches.every((batch) => hasOutcome(batch) || isTriedSince(batch, startedAt));
  if (opened.view.sweptAt === undefined || !isResumed) return { after: 1_000 };
  const room = account.spec.maxServers - countServers({ now, machines: opened.view.all(), batches });
  const grouping = groupsOf({ servers, batches, now, room });
  if (grouping === undefined) return {};
  const { groups, recheckAfter } = grouping;
  const failures: unknown[] = [];
  for (const group of groups) {
    // What keeps one group from being launched must not delay the others.
    await createBatch(ports, { account, opened, log }, group).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
  return { after: recheckAfter ?? recheck };
}

interface PlanningPass {
  readonly servers: readonly Server[];
  readonly batches: readonly LaunchBatch[];
  readonly room: number;
  readonly now: Instant;
}

/** Undefined when nobody waits. */
function groupsOf({ servers, batches, room, now }: PlanningPass): Grouping | undefined {
  const waiting = waitingServers(servers, batches);
  if (waiting.length === 0) return undefined;
  const recent = batches.filter((batch) => isRecent(batch, now)).length;
  return groupWaiting(waiting, { room, recent, now });
}

interface LaunchSite {
  readonly account: CloudAccount;
  readonly opened: OpenAccount;
  readonly log: Logger;
}

/** Claims the group, or as much of it as one machine's user data has addresses for; the rest waits its turn. */
async function createBatch(
  ports: PlannerPorts,
  { account, opened, log }: LaunchSite,
  whole: readonly Waiting[],
): Promise<void> {
  const { kube, installation, failpoints, metrics } = ports;
  const basis = basisOf(ports.cache, account, whole);
  if (basis === undefined) return;
  const sign = (group: readonly Waiting[]) => signAddresses(account, opened.cloud, group);
  const { user } = account.spec.ssh;
  const { publicKey } = basis;
  const fitting = addressesThatFit({ user, publicKey, attestationUrls: await sign(whole) });
  const group = whole.slice(0, Math.max(1, fitting));
  const draft = draftBatch({ ...basis, account, installation, group, attestationUrls: await sign(group) });
  failpoints.hit('launch.before-batch-created');
  try {
    const { metadata } = await kube.create(launchBatchKind, draft);
    failpoints.hit('launch.after-batch-created');
    metrics.planned(group.length);
    log.info({ batch: metadata.name, servers: group.length }, 'planned a launch');
  } catch (error) {
    // Another try made the same claim: it owns the slots.
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
}

/** What the batch freezes; undefined while something is missing, which the servers themselves report. */
function basisOf(cache: Cache, account: CloudAccount, group: readonly Waiting[]) {
  const [first] = group;
  const namespace = first?.server.metadata.namespace;
  const publicKey = account.status?.sshPublicKey;
  if (first === undefined || namespace === undefined || publicKey === undefined) return undefined;
  const { template, revision } = first.wish;
  const stored = cache.get(controllerRevisions, { namespace, name: revisionName(template, revision) });
  const frozen = readTemplateRevision(stored?.data);
  const deployment = cache.get(siteDeploymentKind, { namespace, name: first.server.spec.deploymentRef.name });
  if (frozen === undefined || deployment === undefined) return undefined;
  return { publicKey, deployment, revision: frozen };
}

/** The batch's name is in the keys, and it depends on the group: a smaller group needs new addresses. */
function signAddresses(
  account: CloudAccount,
  { objects }: OpenAccount['cloud'],
  group: readonly Waiting[],
): Promise<readonly string[]> {
  const { bucket, prefix } = account.spec.stateStore;
  const name = nameOf(group);
  return Promise.all(
    group.map((_, index) =>
      objects.presignFirstPut(bucket, attestationKey(prefix, name, index), addressLife),
    ),
  );
}

function hasOutcome({ status }: LaunchBatch): boolean {
  return status?.outcome === 'Completed' || status?.outcome === 'Failed';
}

function isRecent({ metadata }: LaunchBatch, now: Instant): boolean {
  return now - Date.parse(metadata.creationTimestamp ?? '') < recentSpan;
}

/** Launches begun by an earlier process are repeated before anything new is launched. */
function isTriedSince({ metadata, status }: LaunchBatch, startedAt: Instant): boolean {
  const newest = [metadata.creationTimestamp, status?.lastAttemptTime, status?.lookUpTime].map((time) =>
    time === undefined ? 0 : Date.parse(time),
  );
  // Creation times have whole seconds only.
  return Math.max(...newest) + 1_000 > startedAt;
}

function accountOf(object: AnyObject): readonly ObjectKey[] {
  const ref = (object as Server).status?.accountRef;
  return ref === undefined ? [] : [{ name: ref.name }];
}
