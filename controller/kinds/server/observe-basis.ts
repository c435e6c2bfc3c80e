/** What a Server's next machine would be launched from, or why it cannot be launched now. */

import type { Accounts } from '../../accounts/port.ts';
import { countServers } from '../../accounts/spending.ts';
import type { CloudAccount } from '../../api/cloud-account.ts';
import { findCondition, isTrue } from '../../api/conditions.ts';
import type { SiteDeployment } from '../../api/deployment.ts';
import { launchBatchKind } from '../../api/launch-batch.ts';
import { controllerRevisions } from '../../api/resource.ts';
import type { Server } from '../../api/server.ts';
import { type ServerTemplate, serverTemplateKind } from '../../api/server-template.ts';
import { readTemplateRevision, revisionName, type TemplateRevision } from '../../api/template-revision.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { checkServerInputs } from '../../inputs/server-inputs.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import { listOfferings } from './decide/offerings.ts';
import type { Basis, Offering } from './decide/plan.ts';

export interface BasisPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
}

export interface BasisInput {
  readonly server: Server;
  readonly deployment: SiteDeployment | undefined;
  readonly account: CloudAccount | undefined;
  readonly now: Instant;
}

/** EC2 says for whole minutes that a type is sold out in a zone; asking again at once is a wasted call. */
const soldOutMemory: Millis = 3 * 60_000;
/** Reasons of a ServerTemplate whose last revision still is what a replacement is made from. */
const replacing = ['InUse', 'ScriptNotFound', 'ScriptInvalid', 'Resolving', 'AccountNotReady'];
/** Reasons of a Deployment that keep its servers from being launched. */
const blocking = ['AccountNotFound', 'AccountNotReady', 'NamespaceNotAllowed'];

/** EC2 not answering is a reason not to launch, not an error: the status says so. */
export async function observeBasis(ports: BasisPorts, input: BasisInput): Promise<Basis> {
  try {
    return await readBasis(ports, input);
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('cloud.')) throw error;
    return notReady(`The launch cannot be prepared: ${error.message}`);
  }
}

async function readBasis(ports: BasisPorts, input: BasisInput): Promise<Basis> {
  const { server, deployment, account, now } = input;
  const permitted = whyNotPermitted(server, deployment, account);
  if ('ready' in permitted) return permitted;
  const template = templateOf(ports.cache, server);
  if ('ready' in template) return template;
  const { accounts, cache } = ports;
  const subnetIDs =
    permitted.deployment.spec.network?.subnetIDs ?? permitted.account.spec.network.subnetIDs ?? [];
  const subnets = await accounts.subnets(permitted.account, subnetIDs);
  const { view } = await accounts.open(permitted.account);
  const accountName = permitted.account.metadata.name;
  const batches = cache.list(launchBatchKind).filter((batch) => batch.spec.accountRef.name === accountName);
  const { maxServers } = permitted.account.spec;
  return {
    ready: true,
    accountName,
    template: template.name,
    revision: template.hash,
    inputs: await checkServerInputs(ports, { server, template: template.revision }),
    offerings: listOfferings(template.revision.instance.types, subnets, server.spec.zone),
    soldOut: batches.flatMap((batch) => {
      const { reason, completionTime } = batch.status ?? {};
      const isFresh = now - Date.parse(completionTime ?? '') < soldOutMemory;
      return reason === 'InsufficientCapacity' && isFresh ? [offeringOf(batch.spec.request, subnets)] : [];
    }),
    room: maxServers - countServers({ now, machines: view.all(), batches }),
    maxServers,
  };
}

type NotReady = Basis & { readonly ready: false };

/** The Deployment and account it may use, or what is in the way. */
export function whyNotPermitted(
  server: Server,
  deployment: SiteDeployment | undefined,
  account: CloudAccount | undefined,
): NotReady | { readonly deployment: SiteDeployment; readonly account: CloudAccount } {
  const name = server.spec.deploymentRef.name;
  if (deployment === undefined) return notReady(`Deployment/${name} does not exist. Create it.`);
  const ready = findCondition(deployment.status, 'Ready');
  if (ready === undefined) return notReady(`Deployment/${name} has not been looked at yet.`);
  if (blocking.includes(ready.reason)) return notReady(`Deployment/${name}: ${ready.message}`);
  const accountName = deployment.spec.accountRef.name;
  if (account === undefined) return notReady(`CloudAccount/${accountName} does not exist.`);
  if (!isTrue(account, 'Ready')) {
    const why = findCondition(account.status, 'Ready')?.message ?? 'it has not been checked yet';
    return notReady(`CloudAccount/${accountName} is not Ready: ${why}`);
  }
  if (account.status?.sshPublicKey === undefined) {
    return notReady(`CloudAccount/${accountName} has no login key yet.`);
  }
  return { deployment, account };
}

/** The revision that its next machine is made from, or what is in the way. */
export function templateOf(
  cache: Cache,
  server: Server,
): NotReady | { readonly name: string; readonly hash: string; readonly revision: TemplateRevision } {
  const { name } = server.spec.serverTemplateRef;
  const namespace = server.metadata.namespace ?? '';
  const template = cache.get(serverTemplateKind, { namespace, name });
  if (template === undefined) return notReady(`ServerTemplate/${name} does not exist. Create it.`);
  const hash = server.spec.templateRevision ?? template.status?.revision;
  if (hash === undefined || (server.spec.templateRevision === undefined && !isUsable(template, server))) {
    const why = findCondition(template.status, 'Ready')?.message ?? 'it has not been looked at yet.';
    return notReady(`ServerTemplate/${name} is not Ready: ${why}`);
  }
  const revision = readRevision(cache, namespace, name, hash);
  return revision === undefined
    ? notReady(`ServerTemplate/${name} has no revision ${hash}.`)
    : { name, hash, revision };
}

/**
 * An input that the template and its Deployments leave open may be set on the Server: its own check decides. One that an owner
 * makes replaces one that runs: whatever was deleted since, it gets the last good revision.
 */
function isUsable({ status }: ServerTemplate, { metadata }: Server): boolean {
  const ready = findCondition(status, 'Ready');
  const isOwned = metadata.ownerReferences?.some(({ controller }) => controller === true) === true;
  const usable: readonly string[] = isOwned
    ? [...replacing, 'RequiredInputMissing']
    : ['RequiredInputMissing', 'InUse'];
  return ready?.status === 'True' || usable.includes(ready?.reason ?? '');
}

/** A frozen revision; undefined when it is gone or not ours. */
export function readRevision(
  cache: Cache,
  namespace: string,
  template: string,
  hash: string,
): TemplateRevision | undefined {
  const stored = cache.get(controllerRevisions, { namespace, name: revisionName(template, hash) });
  return readTemplateRevision(stored?.data);
}

function offeringOf(
  request: { readonly instanceType: string; readonly subnetID?: string; readonly zone?: string },
  subnets: readonly { readonly id: string; readonly zone: string }[],
): Offering {
  const { instanceType, subnetID, zone } = request;
  const known = subnets.find(({ id }) => id === subnetID)?.zone ?? zone;
  return { instanceType, subnetID, zone: known };
}

function notReady(message: string): NotReady {
  return { ready: false, message };
}
