/** What a deployment amounts to: how its members are, and whether it may go. Pure. */
import type { CloudAccount } from '../../api/cloud-account.ts';
import { findCondition, isTrue, type ReasonOf } from '../../api/conditions.ts';
import type { SiteDeployment } from '../../api/deployment.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { type AnyObject, group } from '../../api/meta.ts';
import type { Server } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import type { InputProblem } from '../../inputs/resolve.ts';

export interface Observed {
  readonly now: Instant;
  readonly deployment: SiteDeployment;
  /** Undefined when there is no such CloudAccount. */
  readonly account: CloudAccount | undefined;
  readonly isAllowed: boolean;
  /** Values that cannot be read. */
  readonly inputProblems: readonly Pick<InputProblem, 'reason' | 'message'>[];
  readonly servers: readonly Server[];
  /** Oldest first. */
  readonly balancers: readonly LoadBalancer[];
  /** Arrays and clusters, by age. */
  readonly owners: readonly AnyObject[];
}

export interface Counts {
  readonly desiredServers: number;
  readonly operationalServers: number;
  readonly bootingServers: number;
  readonly strandedServers: number;
}

export interface Plan {
  readonly ready: ReasonOf<'Deployment', 'Ready'>;
  readonly inputs: ReasonOf<'Deployment', 'InputsResolved'>;
  readonly counts: Counts;
  /** Its deletion was asked for and nothing refers to it any more. */
  readonly mayGo: boolean;
}

/** `mayGo` when the finalizer can be removed. */
export function decide(observed: Observed): Plan {
  const { deployment, servers, balancers, owners } = observed;
  const members = [...owners, ...balancers, ...servers.filter(isAlone)];
  // One that is switched off, as an old primary of a database is, is where it should be.
  const wanted = servers.filter(({ spec }) => spec.power !== 'Stopped');
  const inputs = inputsCondition(observed);
  const isLeaving = deployment.metadata.deletionTimestamp !== undefined;
  return {
    inputs,
    counts: countsOf(wanted),
    mayGo: isLeaving && servers.length + members.length === 0,
    ready: isLeaving
      ? leavingCondition(members.length === 0 ? servers : members)
      : (obstacleCondition(observed, inputs) ?? membersCondition(wanted)),
  };
}

/** What stands in the way before members matter. */
function obstacleCondition(
  { deployment, account, isAllowed }: Observed,
  inputs: ReasonOf<'Deployment', 'InputsResolved'>,
): ReasonOf<'Deployment', 'Ready'> | undefined {
  const name = deployment.spec.accountRef.name;
  const { namespace = '' } = deployment.metadata;
  if (account === undefined) {
    return { reason: 'AccountNotFound', message: `CloudAccount/${name} does not exist.` };
  }
  if (!isAllowed) {
    const patch = `[{"op":"add","path":"/spec/allowedNamespaces/names/-","value":"${namespace}"}]`;
    const hint = `An admin can allow it: kubectl patch rlc ${name} --type=json -p '${patch}'.`;
    return {
      reason: 'NamespaceNotAllowed',
      message: `Namespace ${namespace} may not use CloudAccount/${name}. ${hint}`,
    };
  }
  if (deployment.spec.suspend)
    return { reason: 'Suspended', message: 'spec.suspend is set; nothing is changed.' };
  if (!isTrue(account, 'Ready')) {
    const why = findCondition(account.status, 'Ready')?.message ?? 'It was not checked yet.';
    return { reason: 'AccountNotReady', message: `CloudAccount/${name}: ${why}` };
  }
  if (inputs.reason !== 'Resolved') return { reason: 'InputsUnresolved', message: inputs.message };
  return undefined;
}

function membersCondition(servers: readonly Server[]): ReasonOf<'Deployment', 'Ready'> {
  if (servers.length === 0) return { reason: 'Empty', message: 'There are no members yet.' };
  const unready = servers.filter((server) => !isTrue(server, 'Ready'));
  if (unready.length === 0) {
    return { reason: 'AllMembersReady', message: `All ${servers.length} members are ready.` };
  }
  const named = unready.slice(0, 10).map((server) => `Server/${server.metadata.name} (${stateOf(server)})`);
  const more = unready.length > named.length ? ', …' : '';
  return {
    reason: 'MembersNotReady',
    message: `${unready.length} of ${servers.length} members are not ready: ${named.join(', ')}${more}.`,
  };
}

/** One that has an owner goes with it, and is made anew if it is deleted alone. */
function isAlone({ metadata }: Server): boolean {
  return metadata.ownerReferences?.some(({ controller }) => controller === true) !== true;
}

function leavingCondition(members: readonly AnyObject[]): ReasonOf<'Deployment', 'Ready'> {
  const some = members.slice(0, 10);
  const names = some.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const words = some.map(({ kind, metadata }) => `${kind.toLowerCase()}.${group}/${metadata.name}`);
  const where = some[0]?.metadata.namespace === undefined ? '' : ` -n ${some[0].metadata.namespace}`;
  const more = members.length > names.length ? ' and others' : '';
  const text = `Deletion waits for ${names.join(', ')}${more}; delete them: kubectl delete${where} ${words.join(' ')}.`;
  return { reason: 'MembersExist', message: some.length === 0 ? 'Nothing refers to it any more.' : text };
}

function inputsCondition({ deployment, inputProblems }: Observed): ReasonOf<'Deployment', 'InputsResolved'> {
  const [first] = inputProblems;
  const count = deployment.spec.inputs?.length ?? 0;
  if (first === undefined) return { reason: 'Resolved', message: `${count} inputs resolved.` };
  const message = inputProblems.map((problem) => problem.message).join(' ');
  return {
    reason: first.reason as ReasonOf<'Deployment', 'InputsResolved'>['reason'],
    message: `${message} Servers keep their current value.`,
  };
}

function countsOf(servers: readonly Server[]): Counts {
  const count = (...states: readonly string[]) =>
    servers.filter((server) => states.includes(stateOf(server))).length;
  return {
    desiredServers: servers.length,
    operationalServers: count('Operational'),
    bootingServers: count('Pending', 'Booting'),
    strandedServers: count('Stranded'),
  };
}

function stateOf(server: Server): string {
  return findCondition(server.status, 'Ready')?.reason ?? 'Pending';
}
