/** The jobs that bring a member in, with what each needs to know. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { AppError } from '../../base/errors.ts';
import { donorJob, joinerJob } from '../../database/cloning.ts';
import { preparationJob } from '../../database/preparation.ts';
import type { Job } from '../../shell/port.ts';
import type { Member } from './decide/member.ts';
import type { JoinDeed } from './decide/plan.ts';
import { jobIDs } from './job-id.ts';
import type { Site } from './site.ts';

export interface Jobs {
  /** On the member itself. */
  readonly own: Job;
  /** On the server it copies from. */
  readonly donor?: Job;
}

/** Asks hosts for their certificates where one must trust the other. */
export async function jobsOf(
  cluster: MySQLCluster,
  site: Site,
  { member, job, donor }: JoinDeed & { readonly do: 'start' },
): Promise<Jobs> {
  if (job === 'Cloning') return await copyOf(cluster, site, { member, donor });
  const preparation = preparationOf(cluster, site, member, job === 'Loading');
  return { own: preparationJob(jobIDs(cluster, member.record).own, preparation) };
}

function preparationOf(cluster: MySQLCluster, site: Site, member: Member, initialise: boolean) {
  const { engine, settings = [], durability } = cluster.spec;
  return {
    flavor: engine.flavor,
    series: engine.version,
    clusterUID: cluster.metadata.uid,
    instanceID: member.instanceID ?? '',
    privateAddress: member.address ?? '',
    durability,
    settings,
    passwords: passwordsOf(site),
    restart: false,
    initialise,
  };
}

async function copyOf(
  cluster: MySQLCluster,
  site: Site,
  { member, donor }: { readonly member: Member; readonly donor: Member | undefined },
): Promise<Jobs> {
  const ids = jobIDs(cluster, member.record);
  const to = site.member(member.server);
  const from = donor === undefined ? undefined : site.member(donor.server);
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
  const { admin: adminPassword } = passwordsOf(site);
  const copy = { ...owner, series, donorAddress: from.address, donorCertificate, adminPassword, epoch };
  return {
    own: joinerJob(ids.own, copy),
    donor: donorJob(ids.donor, { ...owner, privateAddress: from.address, joinerCertificate }),
  };
}

function passwordsOf({ credentials }: Site) {
  if (credentials === undefined) throw new AppError('database.denied', 'the passwords are not known');
  return credentials;
}
