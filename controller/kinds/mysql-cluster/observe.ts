/** Reads what a cluster's decision needs: its servers, their jobs, what supervision found, and what is missing. */

import type { Accounts } from '../../accounts/port.ts';
import { findCondition } from '../../api/conditions.ts';
import { ageOf } from '../../api/meta.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../api/promotion.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Clock, Millis } from '../../base/clock.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { ClusterAccess } from '../../cluster-access/access.ts';
import { ask, patience } from '../../cluster-access/ask.ts';
import type { Look } from '../../database/port.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import { scopeOf } from '../../owned-servers/removals.ts';
import { zonesOf } from '../../owned-servers/zones.ts';
import type { Shell } from '../../shell/port.ts';
import type { Finding, Supervision } from '../../supervision/port.ts';
import type { CertificateWatch } from './certificate-watch.ts';
import { type MemberRecord, memberOf } from './decide/member.ts';
import type { Observed } from './decide/plan.ts';
import { problemOf } from './decide/problem.ts';
import { examinedServer } from './decide/rejoin.ts';
import type { DiskWatch } from './disk-watch.ts';
import { observeJobs } from './observe-jobs.ts';
import type { ClusterPass } from './pass.ts';
import { credentialFacts, type PasswordPorts } from './passwords.ts';
import type { PrivilegeWatch } from './privileges.ts';
import { RefusalWatch } from './refusal-watch.ts';
import { dataHolders } from './supervise.ts';
import type { TableWatch } from './table-watch.ts';

export interface ObservePorts extends PasswordPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly supervision: Supervision;
  readonly privileges: PrivilegeWatch;
  readonly tableWatch: TableWatch;
  readonly diskWatch: DiskWatch;
  readonly refusalWatch: RefusalWatch;
  readonly certificateWatch: CertificateWatch;
  readonly breaker: Breaker;
}

/** Supervision has not looked yet at one that has joined since. */
const recently: Millis = 5_000;

/** `quick` asks no host. */
export type Depth = 'quick' | 'full';

/**
 * With `quick` it answers from memory and the cache, with `full` it asks hosts; those that are silent cost
 * seconds.
 */
export async function observe(ports: ObservePorts, pass: ClusterPass, depth: Depth): Promise<Observed> {
  const { cluster, access, servers, now } = pass;
  const status = cluster.status ?? {};
  const finding = ports.supervision.of(cluster.metadata.uid);
  const isFull = depth === 'full';
  const looks = isFull ? await looksAt(ports, pass, finding) : (finding?.looks ?? new Map());
  if (isFull) await askMembers(ports, pass, finding);
  const members = servers.map((server) => memberOf(server, { now, cluster, status, looks }));
  const { suspended } = access;
  return {
    now,
    cluster,
    status,
    suspended,
    problem: problemOf({ ...access, ...pass }, members),
    members,
    zones: isFull ? await zonesOf(ports.accounts, access.deployment, access.account) : [],
    jobs: suspended || !isFull ? new Map() : await observeJobs(ports, pass, members),
    hindrances: new Map(
      servers.flatMap(({ metadata: { name, uid } }) => {
        const failure = pass.failureOf(uid);
        return failure === undefined ? [] : [[name, failure.message] as const];
      }),
    ),
    finding,
    privileged: ports.privileges.of(cluster.metadata.uid),
    unsafeTables: ports.tableWatch.of(cluster.metadata.uid),
    disks: ports.diskWatch.of(cluster.metadata.uid),
    refusal: ports.refusalWatch.of(cluster.metadata.uid),
    credentials: credentialFacts(ports, cluster, pass.credentials, servers),
    certificates: ports.certificateWatch.of(cluster, now),
    promotions: promotionsOf(ports.cache, cluster),
    allowance: allowanceOf(ports, pass),
  };
}

/** How many servers the breaker lets go now. */
function allowanceOf({ cache, breaker }: ObservePorts, { cluster, servers, now }: ClusterPass): number {
  const size = Math.max(cluster.spec.instances, servers.length);
  return breaker.allowance({ scope: scopeOf(cluster), size, fleet: cache.list(serverKind).length }, now);
}

/** Nobody is held up by questions while the primary is silent. */
const silent: readonly Finding['verdict'][] = ['DeadByState', 'DeadProcess', 'DeadHost', 'Suspected'];

/** What is asked less often than how they are. */
async function askMembers(
  { privileges, tableWatch, diskWatch, credentialWatch, certificateWatch, refusalWatch }: ObservePorts,
  pass: ClusterPass,
  finding: Finding | undefined,
): Promise<void> {
  const { cluster, access, now, credentials } = pass;
  if (finding === undefined || silent.includes(finding.verdict)) return;
  const leader = access.leader();
  const { uid } = cluster.metadata;
  const holders = dataHolders(pass);
  // Whoever is silent costs seconds, and is told of anyway.
  const answering = holders.filter(({ server }) => finding.looks.has(server) && server !== leader?.server);
  await Promise.all([
    refusalWatch.ask(cluster, now),
    credentialWatch.ask(cluster, credentials, holders, now),
    certificateWatch.ask(cluster, holders, now),
    diskWatch.ask(uid, answering, now),
  ]);
  if (finding.verdict !== 'Healthy' || leader === undefined) return;
  await Promise.all([privileges.ask(uid, leader, now), tableWatch.ask(uid, leader, now)]);
}

/** Of this cluster, oldest first. */
function promotionsOf(cache: Cache, { metadata }: MySQLCluster): readonly Promotion[] {
  return cache
    .list(promotionKind, { namespace: metadata.namespace ?? '' })
    .filter(({ spec }) => spec.clusterRef.name === metadata.name)
    .toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
}

/** What supervision saw, and what those say that it does not watch yet. */
async function looksAt(
  ports: ObservePorts,
  { cluster, access, servers, now }: ClusterPass,
  finding: Finding | undefined,
): Promise<Finding['looks']> {
  const looks = new Map(finding?.looks);
  const { members = [], primary } = cluster.status ?? {};
  const examined = examinedServer({ status: cluster.status ?? {} });
  const isNew = ({ server, step, since = '' }: MemberRecord) =>
    step === 'Following' ||
    (step === 'Joined' &&
      !looks.has(server) &&
      (server === primary?.server || now - Date.parse(since) < recently));
  // One that boots would take the whole time of a look.
  const isExamined = ({ metadata, status }: Server) =>
    metadata.name === examined && findCondition(status, 'Ready')?.reason === 'Operational';
  const unwatched = servers.filter(
    (server) =>
      isExamined(server) || members.some((record) => record.server === server.metadata.name && isNew(record)),
  );
  await Promise.all(
    unwatched.map(async (server) => {
      const look = await lookAt(ports, access, server);
      if (look !== undefined) looks.set(server.metadata.name, { at: now, look });
    }),
  );
  return looks;
}

async function lookAt(
  { clock }: ObservePorts,
  access: ClusterAccess,
  server: Server,
): Promise<Look | undefined> {
  const member = access.member(server);
  if (member === undefined) return undefined;
  return await ask(clock, member.database.look(patience));
}
