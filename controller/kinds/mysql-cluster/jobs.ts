/** The jobs that bring a member in, with what each needs to know. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { isBeingAdopted } from '../../api/ownership.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { ClusterAccess } from '../../cluster-access/access.ts';
import { donorJob, joinerJob } from '../../database/cloning.ts';
import { loadingJob, newestDump } from '../../database/loading.ts';
import type { Stamp } from '../../database/port.ts';
import { preparationJob } from '../../database/preparation.ts';
import type { Job } from '../../shell/port.ts';
import type { Member } from './decide/member.ts';
import type { HostAction } from './decide/plan.ts';
import { settingsOf } from './decide/wanted.ts';
import { jobIDs, upkeepJobID } from './job-id.ts';

/** The job that starts a database whose process has ended; once per trouble, told by its time. */
export function revivalOf(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { member, since }: { readonly member: Member; readonly since: Instant },
): Job {
  const id = upkeepJobID(cluster, member.record, { what: 'revival', since });
  // Changed settings come in their turn: a server that has just failed is no place to try them.
  return preparationJob(id, { ...preparationOf(cluster, access, member), initialise: false, rewrite: false });
}

/** The job that brings our files to a member; with a stamp it also restarts it, if its settings have changed. */
export function rolloutOf(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { member, since, restart }: { readonly member: Member; readonly since: Instant; readonly restart?: Stamp },
): Job {
  const preparation = { ...preparationOf(cluster, access, member), initialise: false };
  const id = upkeepJobID(cluster, member.record, { what: 'rollout', since });
  if (restart === undefined) return preparationJob(id, { ...preparation, rewrite: false });
  return preparationJob(id, { ...preparation, restart });
}

type Dump = NonNullable<MySQLCluster['spec']['bootstrap']['dump']>;

export interface Jobs {
  /** On the member itself. */
  readonly own: Job;
  /** On the server it copies from. */
  readonly donor?: Job;
}

/** Asks hosts for their certificates where one must trust the other. */
export async function jobsOf(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { member, job, donor }: HostAction & { readonly do: 'start' },
): Promise<Jobs> {
  if (job === 'Cloning') return await copyOf(cluster, access, { member, donor });
  const { own: id } = jobIDs(cluster, member.record);
  const preparation = preparationOf(cluster, access, member);
  const isAdopted = isBeingAdopted(member.server);
  if (job === 'Preparing') {
    // A machine that may be given up again keeps the settings it runs with.
    const how = isAdopted ? ({ adopt: 'look', rewrite: false } as const) : {};
    return { own: preparationJob(id, { ...preparation, initialise: false, ...how }) };
  }
  if (isAdopted) return { own: preparationJob(id, { ...preparation, initialise: false, adopt: 'take' }) };
  const { dump } = cluster.spec.bootstrap;
  if (dump === undefined) return { own: preparationJob(id, { ...preparation, initialise: true }) };
  const source = { url: await dumpURL(access, dump), database: dump.database };
  return { own: loadingJob(id, preparation, source) };
}

/** Good for as long as the host may take to begin. */
const urlLife: Millis = 3_600_000;

async function dumpURL(access: ClusterAccess, { bucket, prefix }: Dump): Promise<string> {
  const { objects } = (await access.open()).cloud;
  const { key, ignored } = newestDump(await objects.list(bucket, prefix), prefix);
  if (key === undefined) {
    const others = ignored.length === 0 ? '' : `; ${ignored.length} other keys begin so`;
    const text = `s3://${bucket}/${prefix}YYYYMMDDhhmmss.gz does not exist${others}`;
    throw new AppError('objects.not-found', text);
  }
  return await objects.presignGet(bucket, key, urlLife);
}

function preparationOf(cluster: MySQLCluster, access: ClusterAccess, member: Member) {
  return {
    ...settingsOf(cluster, member),
    clusterUID: cluster.metadata.uid,
    passwords: passwordsOf(access),
    rewrite: true,
    adopt: 'no',
  } as const;
}

async function copyOf(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { member, donor }: { readonly member: Member; readonly donor: Member | undefined },
): Promise<Jobs> {
  const ids = jobIDs(cluster, member.record);
  const to = access.member(member.server);
  const from = donor === undefined ? undefined : access.member(donor.server);
  if (to === undefined || from === undefined) {
    throw new AppError('shell.unreachable', `${member.name} or who it copies from cannot be reached`);
  }
  const [joinerCertificate, donorCertificate] = await Promise.all([
    to.database.certificate(),
    from.database.certificate(),
  ]);
  const { flavor, version: series } = cluster.spec.engine;
  const owner = { flavor, clusterUID: cluster.metadata.uid };
  const epoch = cluster.status?.primary?.epoch ?? 0;
  const { admin: adminPassword } = passwordsOf(access);
  const copy = { ...owner, series, donorAddress: from.address, donorCertificate, adminPassword, epoch };
  return {
    own: joinerJob(ids.own, copy),
    donor: donorJob(ids.donor, { ...owner, privateAddress: from.address, joinerCertificate }),
  };
}

function passwordsOf({ credentials }: ClusterAccess) {
  if (credentials === undefined) throw new AppError('database.denied', 'the passwords are not known');
  return credentials;
}
