/** How the jobs on members' hosts stand: the one that brings a member in, with its donor's, or the one that changes its settings. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Server } from '../../api/server.ts';
import type { Clock, Instant } from '../../base/clock.ts';
import type { ClusterAccess } from '../../cluster-access/access.ts';
import { ask } from '../../cluster-access/ask.ts';
import { hasEnded, hasFailed, type JobLook } from '../../cluster-access/job-polls.ts';
import type { Shell } from '../../shell/port.ts';
import { isJoined, type Member } from './decide/member.ts';
import type { JobFacts, Observed } from './decide/plan.ts';
import { jobIDs, upkeepJobID } from './job-id.ts';

interface JobPorts {
  readonly clock: Clock;
  readonly shell: Shell;
}

interface JobContext {
  readonly cluster: MySQLCluster;
  readonly access: ClusterAccess;
  readonly now: Instant;
}

const tailBytes = 4_096;

/** How far the jobs on the members' hosts are, by Server; hosts that do not answer are silent. */
export async function observeJobs(
  ports: JobPorts,
  pass: JobContext,
  members: readonly Member[],
): Promise<Observed['jobs']> {
  const facts = await Promise.all(
    members.map((member) =>
      isJoined(member) ? rolloutFacts(ports, pass, member) : jobFacts(ports, pass, member, members),
    ),
  );
  return new Map(facts.flatMap((one) => (one === undefined ? [] : [one])));
}

/** How the job, or the two jobs, of a member's step stand. */
async function jobFacts(
  ports: JobPorts,
  { cluster, access, now }: JobContext,
  member: Member,
  members: readonly Member[],
): Promise<readonly [string, JobFacts] | undefined> {
  const { record, name, server } = member;
  const isJob = record.step === 'Preparing' || record.step === 'Loading' || record.step === 'Cloning';
  if (!isJob || now < Date.parse(record.stepTime ?? '')) return undefined;
  const sides = sidesOf(cluster, member, members);
  const looks = await Promise.all(sides.map((side) => pollJob(ports, access, side)));
  const [own = { state: 'silent' }, ofDonor] = looks;
  // Of an adopted machine it says what the host has heard; of first data, what it lacks.
  const isTelling = record.step === 'Loading' || server.spec.adopt !== undefined;
  const telling = isTelling && hasEnded(own) ? 0 : looks.findIndex(hasFailed);
  const lastLine = await lastLineOf(ports, access, sides[telling], looks[telling]);
  const ofBoth = ofDonor === undefined ? { own } : { own, donor: ofDonor };
  return [name, lastLine === undefined ? ofBoth : { ...ofBoth, lastLine }];
}

/** The job on the member itself, and on its donor if there is one. */
function sidesOf(
  cluster: MySQLCluster,
  { record, server }: Member,
  members: readonly Member[],
): readonly Side[] {
  const ids = jobIDs(cluster, record);
  const donor = members.find((one) => one.name === record.donor)?.server;
  return [{ server, id: ids.own }, ...(donor === undefined ? [] : [{ server: donor, id: ids.donor }])];
}

/** How the job that brings a member's settings in step stands. */
async function rolloutFacts(
  ports: JobPorts,
  { cluster, access }: JobContext,
  { server, record, name }: Member,
): Promise<readonly [string, JobFacts] | undefined> {
  const { rollout } = cluster.status ?? {};
  if (rollout?.server !== name || rollout.message !== undefined) return undefined;
  const since = Date.parse(rollout.startTime);
  const side = { server, id: upkeepJobID(cluster, record, { what: 'rollout', since }) };
  const own = await pollJob(ports, access, side);
  const lastLine = hasEnded(own) ? await lastLineOf(ports, access, side, own) : undefined;
  return [name, { own, ...(lastLine === undefined ? {} : { lastLine }) }];
}

interface Side {
  readonly server: Server;
  readonly id: string;
}

async function pollJob(
  { shell, clock }: JobPorts,
  access: ClusterAccess,
  { server, id }: Side,
): Promise<JobLook> {
  const host = access.host(server);
  if (host === undefined) return { state: 'silent' };
  return (await ask(clock, shell.pollJob(host, id))) ?? { state: 'silent' };
}

async function lastLineOf(
  { shell, clock }: JobPorts,
  access: ClusterAccess,
  side: Side | undefined,
  look: JobLook | undefined,
): Promise<string | undefined> {
  if (side === undefined) return undefined;
  const { server, id } = side;
  const host = access.host(server);
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
