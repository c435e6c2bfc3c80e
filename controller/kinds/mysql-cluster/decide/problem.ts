/** What only a person can put right: a mistake in the spec or in what it refers to, or a failure that no retry mends. Pure. */

import type { CloudAccount } from '../../../api/cloud-account.ts';
import { findCondition } from '../../../api/conditions.ts';
import type { SiteDeployment } from '../../../api/deployment.ts';
import type { MySQLCluster } from '../../../api/mysql-cluster.ts';
import { isBeingAdopted } from '../../../api/ownership.ts';
import type { ServerTemplate } from '../../../api/server-template.ts';
import { type AppError, hasCode } from '../../../base/errors.ts';
import { findRefusals } from '../../../database/settings-refusals.ts';
import type { Member, MemberRecord } from './member.ts';
import type { Problem } from './plan.ts';

/** A cluster and what it refers to; undefined is what does not exist. */
export interface Circumstances {
  readonly cluster: MySQLCluster;
  readonly deployment: SiteDeployment | undefined;
  readonly account: CloudAccount | undefined;
  readonly template: ServerTemplate | undefined;
  /** Why there are no passwords at all. */
  readonly missing: string | undefined;
  /** Why the newest action on a Server, by uid, did not work. */
  readonly failureOf: (serverUid: string) => AppError | undefined;
}

/** The first thing a person has to put right. */
export function problemOf(circumstances: Circumstances, members: readonly Member[]): Problem | undefined {
  const { cluster, missing } = circumstances;
  const mistake = referenceProblem(circumstances) ?? specProblem(cluster);
  if (mistake !== undefined) return mistake;
  if (missing !== undefined) return { reason: 'CredentialsMissing', message: missing };
  const found = members.map(
    (member) =>
      adoptionProblem(member) ?? failureProblem(member.record) ?? dumpProblem(circumstances, member),
  );
  return found.find((problem) => problem !== undefined);
}

function referenceProblem({ cluster, deployment, account, template }: Circumstances): Problem | undefined {
  const { deploymentRef, serverTemplateRef } = cluster.spec;
  if (deployment === undefined) return notReady(`Deployment/${deploymentRef.name} does not exist.`);
  if (account === undefined) {
    return notReady(`CloudAccount/${deployment.spec.accountRef.name} does not exist.`);
  }
  if (template === undefined) return notReady(`ServerTemplate/${serverTemplateRef.name} does not exist.`);
  if (template.status?.revision === undefined) {
    return notReady(`ServerTemplate/${serverTemplateRef.name} has no revision yet.`);
  }
  return undefined;
}

function specProblem({ spec }: MySQLCluster): Problem | undefined {
  const { engine, settings = [], bootstrap } = spec;
  const refused = findRefusals(engine.flavor, engine.version, settings);
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

/** The machine whose data the cluster is to begin with cannot be had, or holds something else. */
function adoptionProblem({ server, record, name }: Member): Problem | undefined {
  const { adopt } = server.spec;
  if (adopt === undefined || !isBeingAdopted(server)) return undefined;
  if (record.failure !== undefined && isOfMachine(record.failure)) {
    const message = `${adopt.instanceID} cannot be adopted: ${record.message ?? ''}. It keeps its data; deleting this MySQLCluster lets it go again.`;
    return { reason: 'BootstrapFailed', message };
  }
  const ready = findCondition(server.status, 'Ready');
  const isRefused = ready?.reason === 'Blocked' && server.status?.instanceID === undefined;
  return isRefused ? { reason: 'BootstrapFailed', message: `${name}: ${ready.message}` } : undefined;
}

/** No other image or setting changes what a machine is that runs already. */
function isOfMachine(failure: NonNullable<MemberRecord['failure']>): boolean {
  return failure === 'ForeignData' || failure === 'LacksServer' || failure === 'UnsupportedVersion';
}

/** The first data cannot be had: there is no dump, or nobody may read it. */
function dumpProblem({ failureOf }: Circumstances, { record, server }: Member): Problem | undefined {
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
  DumpLacksDatabase: 'BootstrapFailed',
  ForeignData: undefined,
} as const satisfies Record<NonNullable<MemberRecord['failure']>, Problem['reason'] | undefined>;
