/** Reads what a cluster's decision needs: its servers, their jobs, what supervision found, and what is missing. */
import { ageOf, isPaused } from '../../api/meta.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { promotionKind, type Promotion } from '../../api/promotion.ts';
import type { Server } from '../../api/server.ts';
import type { Accounts } from '../../accounts/port.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { AppError, hasCode } from '../../base/errors.ts';
import { refusals } from '../../database/settings-refusals.ts';
import type { Look } from '../../database/port.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import { zonesOf } from '../../owned-servers/zones.ts';
import type { Shell } from '../../shell/port.ts';
import type { Finding, Supervision } from '../../supervision/port.ts';
import { ask, patience } from './ask.ts';
import { isJoined, memberOf, type Member, type MemberRecord } from './decide/member.ts';
import { hasEnded, hasFailed } from './decide/job-look.ts';
import type { JobFacts, JobLook, Observed, Problem } from './decide/plan.ts';
import { jobIDs, upkeepJobID } from './job-id.ts';
import type { PrivilegeWatch } from './privileges.ts';
import type { Site } from './site.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly supervision: Supervision;
  readonly privileges: PrivilegeWatch;
}

const tailBytes = 4_096;
/** Supervision has not looked yet at one that has joined since. */
const recently: Millis = 5_000;

export interface Scene {
  readonly cluster: MySQLCluster;
  readonly site: Site;
  readonly servers: readonly Server[];
  readonly now: Instant;
  /** Why there are no credentials. */
  readonly missing: string | undefined;
  /** Why the newest deed on a Server, by uid, did not work. */
  readonly failureOf: (serverUid: string) => AppError | undefined;
}

/** `quick` asks no host. */
export type Depth = 'quick' | 'full';

/** Everything but the breaker's word. */
export async function observe(
  ports: ObservePorts,
  scene: Scene,
  depth: Depth,
): Promise<Omit<Observed, 'allowance'>> {
  const { cluster, site, servers, now } = scene;
  const status = cluster.status ?? {};
  const finding = ports.supervision.of(cluster.metadata.uid);
  const isFull = depth === 'full';
  const looks = isFull ? await looksAt(ports, scene, finding) : (finding?.looks ?? new Map());
  if (isFull) await askForAccounts(ports, scene, finding);
  const members = servers.map((server) => memberOf(server, { now, status, looks }));
  const suspended = isSuspended(scene);
  return {
    now,
    cluster,
    status,
    suspended,
    problem: problemOf(scene, members),
    members,
    zones: isFull ? await zonesOf(ports.accounts, site.deployment, site.account) : [],
    jobs: suspended || !isFull ? new Map() : await jobsOf(ports, scene, members),
    hindrances: new Map(
      servers.flatMap(({ metadata: { name, uid } }) => {
        const failure = scene.failureOf(uid);
        return failure === undefined ? [] : [[name, failure.message] as const];
      }),
    ),
    finding,
    privileged: ports.privileges.of(cluster.metadata.uid),
    promotions: promotionsOf(ports.cache, cluster),
  };
}

function isSuspended({ cluster, site }: Scene): boolean {
  return cluster.spec.suspend || isPaused(cluster) || site.deployment?.spec.suspend === true;
}

async function askForAccounts(
  { privileges }: ObservePorts,
  { cluster, site, now }: Scene,
  finding: Finding | undefined,
): Promise<void> {
  const leader = site.leader();
  const isWell = finding?.verdict === 'Healthy';
  if (isWell && leader !== undefined) await privileges.ask(cluster.metadata.uid, leader, now);
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
  { cluster, site, servers, now }: Scene,
  finding: Finding | undefined,
): Promise<Finding['looks']> {
  const looks = new Map(finding?.looks);
  const { members = [], primary } = cluster.status ?? {};
  const isNew = ({ server, step, since = '' }: MemberRecord) =>
    step === 'Following' ||
    (step === 'Joined' &&
      !looks.has(server) &&
      (server === primary?.server || now - Date.parse(since) < recently));
  const unwatched = servers.filter(({ metadata }) =>
    members.some((record) => record.server === metadata.name && isNew(record)),
  );
  await Promise.all(
    unwatched.map(async (server) => {
      const look = await lookAt(ports, site, server);
      if (look !== undefined) looks.set(server.metadata.name, { at: now, look });
    }),
  );
  return looks;
}

async function lookAt({ clock }: ObservePorts, site: Site, server: Server): Promise<Look | undefined> {
  const member = site.member(server);
  if (member === undefined) return undefined;
  return await ask(clock, member.database.look(patience));
}

async function jobsOf(
  ports: ObservePorts,
  scene: Scene,
  members: readonly Member[],
): Promise<Observed['jobs']> {
  const facts = await Promise.all(
    members.map((member) =>
      isJoined(member) ? rolloutFacts(ports, scene, member) : jobFacts(ports, scene, member, members),
    ),
  );
  return new Map(facts.flatMap((one) => (one === undefined ? [] : [one])));
}

/** How the job, or the two jobs, of a member's step stand. */
async function jobFacts(
  ports: ObservePorts,
  { cluster, site, now }: Scene,
  member: Member,
  members: readonly Member[],
): Promise<readonly [string, JobFacts] | undefined> {
  const { record, server, name } = member;
  const isJob = record.step === 'Preparing' || record.step === 'Loading' || record.step === 'Cloning';
  if (!isJob || now < Date.parse(record.stepTime ?? '')) return undefined;
  const ids = jobIDs(cluster, record);
  const donor = members.find((one) => one.name === record.donor)?.server;
  const sides = [{ server, id: ids.own }, ...(donor === undefined ? [] : [{ server: donor, id: ids.donor }])];
  const looks = await Promise.all(sides.map((side) => pollJob(ports, site, side)));
  const [own = { state: 'silent' }, ofDonor] = looks;
  const failed = looks.findIndex(hasFailed);
  const side = sides[failed];
  const lastLine = side === undefined ? undefined : await lastLineOf(ports, site, side, looks[failed]);
  return [
    name,
    {
      own,
      ...(ofDonor === undefined ? {} : { donor: ofDonor }),
      ...(lastLine === undefined ? {} : { lastLine }),
    },
  ];
}

/** How the job that brings a member's settings in step stands. */
async function rolloutFacts(
  ports: ObservePorts,
  { cluster, site }: Scene,
  { server, record, name }: Member,
): Promise<readonly [string, JobFacts] | undefined> {
  const { rollout } = cluster.status ?? {};
  if (rollout?.server !== name || rollout.message !== undefined) return undefined;
  const since = Date.parse(rollout.startTime);
  const side = { server, id: upkeepJobID(cluster, record, { what: 'rollout', since }) };
  const own = await pollJob(ports, site, side);
  const lastLine = hasEnded(own) ? await lastLineOf(ports, site, side, own) : undefined;
  return [name, { own, ...(lastLine === undefined ? {} : { lastLine }) }];
}

interface Side {
  readonly server: Server;
  readonly id: string;
}

async function pollJob({ shell, clock }: ObservePorts, site: Site, { server, id }: Side): Promise<JobLook> {
  const host = site.host(server);
  if (host === undefined) return { state: 'silent' };
  return (await ask(clock, shell.pollJob(host, id))) ?? { state: 'silent' };
}

async function lastLineOf(
  { shell, clock }: ObservePorts,
  site: Site,
  { server, id }: Side,
  look: JobLook | undefined,
): Promise<string | undefined> {
  const host = site.host(server);
  if (host === undefined || look === undefined) return undefined;
  if (look.state === 'interrupted') return `the host of ${server.metadata.name} restarted`;
  if (look.state === 'exited' && look.timedOut) return `timed out on ${server.metadata.name}`;
  const bytes = 'logBytes' in look ? look.logBytes : 0;
  const offset = Math.max(0, bytes - tailBytes);
  const tail = await ask(clock, shell.readLog(host, id, offset, tailBytes));
  if (tail === undefined) return undefined;
  const lines = new TextDecoder().decode(tail).trimEnd().split('\n');
  // Each line begins with its time.
  return lines.at(-1)?.replace(/^\S+Z /, '');
}

/** The first thing a person has to put right. */
function problemOf(scene: Scene, members: readonly Member[]): Problem | undefined {
  const { cluster, missing } = scene;
  const mistake = referenceProblem(scene) ?? specProblem(cluster);
  if (mistake !== undefined) return mistake;
  if (missing !== undefined) return { reason: 'CredentialsMissing', message: missing };
  const found = members.map((member) => failureProblem(member.record) ?? dumpProblem(scene, member));
  return found.find((problem) => problem !== undefined);
}

function referenceProblem({ cluster, site }: Scene): Problem | undefined {
  const { deploymentRef, serverTemplateRef } = cluster.spec;
  if (site.deployment === undefined) return notReady(`Deployment/${deploymentRef.name} does not exist.`);
  if (site.account === undefined) {
    return notReady(`CloudAccount/${site.deployment.spec.accountRef.name} does not exist.`);
  }
  if (site.template === undefined)
    return notReady(`ServerTemplate/${serverTemplateRef.name} does not exist.`);
  if (site.template.status?.revision === undefined) {
    return notReady(`ServerTemplate/${serverTemplateRef.name} has no revision yet.`);
  }
  return undefined;
}

function specProblem({ spec }: MySQLCluster): Problem | undefined {
  const { engine, settings = [], bootstrap } = spec;
  const refused = refusals(engine.flavor, engine.version, settings);
  const [first] = refused;
  if (first !== undefined) {
    const isVersion = first.field.startsWith('.engine');
    const message = refused.map(({ field, message: why }) => `spec${field} ${why}.`).join(' ');
    return { reason: isVersion ? 'UnsupportedVersion' : 'InvalidSpec', message };
  }
  if (bootstrap.type === 'Backup') {
    const message =
      'spec.bootstrap.type Backup is not possible: this version takes no backups. Use Dump or Empty.';
    return { reason: 'BootstrapFailed', message };
  }
  return undefined;
}

/** The first data cannot be had: there is no dump, or nobody may read it. */
function dumpProblem({ failureOf }: Scene, { record, server }: Member): Problem | undefined {
  const failure = record.step === 'Loading' ? failureOf(server.metadata.uid) : undefined;
  const isFinal = hasCode(failure, 'objects.not-found', 'cloud.denied', 'cloud.not-found');
  return isFinal ? { reason: 'BootstrapFailed', message: `${failure.message}.` } : undefined;
}

function notReady(message: string): Problem {
  return { reason: 'TemplateNotReady', message };
}

/** Failures of a member's job that another try does not mend. */
function failureProblem({ server, failure, message = '' }: MemberRecord): Problem | undefined {
  const reason = failure === undefined ? undefined : failureReasons[failure];
  return reason === undefined ? undefined : { reason, message: `${server}: ${message}` };
}

/** What was found on one server only is no problem of the cluster. */
const failureReasons = {
  LacksServer: 'ImageLacksServer',
  UnsupportedVersion: 'UnsupportedVersion',
  RefusedSettings: 'InvalidSpec',
  ForeignData: undefined,
} as const satisfies Record<NonNullable<MemberRecord['failure']>, Problem['reason'] | undefined>;
