/** Tells the primary which passwords it accepts, and puts together what a decision needs to know about them. */
import { keyText } from '../../api/meta.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Server } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { type Credentials, secretKey } from '../../cluster-access/credentials.ts';
import { stampOf } from '../../cluster-access/stamp.ts';
import type { Member, Passwords } from '../../database/port.ts';
import type { CredentialWatch } from './credential-watch.ts';
import type { CredentialFacts } from './decide/plan.ts';
import type { RotationPlan } from './decide/rotation.ts';
import type { HostJobs } from './host-jobs.ts';

export interface PasswordPorts {
  readonly credentialWatch: CredentialWatch;
  readonly hostJobs: HostJobs;
}

/** Facts without a password in them. */
export function credentialFacts(
  { credentialWatch, hostJobs }: PasswordPorts,
  cluster: MySQLCluster,
  { wanted, mistake, isLost, current, other }: Credentials,
  servers: readonly Server[],
): CredentialFacts {
  const moved = servers.flatMap(({ metadata: { name, uid } }) => {
    const serial = hostJobs.passwordsOf(uid);
    return serial === undefined ? [] : [[name, serial] as const];
  });
  return {
    secret: keyText(secretKey(cluster)),
    wanted: compare(wanted, current, other),
    mistake,
    isLost,
    ...credentialWatch.of(cluster),
    moved: new Map(moved),
  };
}

function compare(
  wanted: Passwords | undefined,
  current: Passwords | undefined,
  other: Passwords | undefined,
): CredentialFacts['wanted'] {
  if (wanted === undefined || current === undefined) return 'Unknown';
  if (isSame(wanted, current)) return 'Current';
  return other !== undefined && isSame(wanted, other) ? 'Other' : 'New';
}

function isSame(left: Passwords, right: Passwords): boolean {
  return left.admin === right.admin && left.replication === right.replication;
}

interface Telling {
  readonly leader: Member | undefined;
  readonly credentials: Credentials;
  readonly now: Instant;
}

/** Replicas do the same once they have applied it. What it answers is kept for the next decision; a failure is returned. */
export async function tellPrimary(
  watch: CredentialWatch,
  cluster: MySQLCluster,
  { leader, credentials, now }: Telling,
  tell: RotationPlan['tell'],
): Promise<AppError | undefined> {
  const { current, other } = credentials;
  const stamp = stampOf(cluster);
  if (leader === undefined || stamp === undefined || current === undefined) return undefined;
  const isVoid = tell === undefined || (tell === 'Both' && other === undefined);
  if (isVoid || watch.isRefused(cluster, now)) return undefined;
  try {
    await leader.database.setPasswords(current, tell === 'Both' ? other : undefined, stamp);
    watch.told(cluster, undefined, now);
    return undefined;
  } catch (error) {
    watch.told(cluster, error, now);
    if (!(error instanceof AppError)) throw error;
    return error;
  }
}
