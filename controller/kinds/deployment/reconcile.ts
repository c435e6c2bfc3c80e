/** Gathers a deployment's members into one word, guards its account, and keeps it until they are gone. */

import { cloudAccountKind } from '../../api/cloud-account.ts';
import { findCondition } from '../../api/conditions.ts';
import { type SiteDeployment, siteDeploymentKind } from '../../api/deployment.ts';
import { type LoadBalancer, loadBalancerKind } from '../../api/load-balancer.ts';
import {
  type AnyObject,
  finalizer,
  keyOf,
  type ObjectKey,
  withFinalizer,
  withoutFinalizer,
} from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import { accountStanding, requestOf } from '../../api/standing.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { Observed } from './decide.ts';
import { decide, type Plan } from './decide.ts';
import { observe } from './observe.ts';
import { statusOf } from './status.ts';

export interface DeploymentPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
}

/** Secrets and ConfigMaps are not watched: a missing one is looked for again, a present one checked now and then. */
const retryPeriod = 15_000;
const checkPeriod = 300_000;

/** Has no memory of its own. */
export function createDeploymentController(ports: DeploymentPorts): KindController {
  return {
    name: 'deployment',
    resource: siteDeploymentKind,
    workers: 4,
    // It counts servers, and hundreds may change in a second.
    rest: 1_000,
    watches: [
      { resource: serverKind, wakes: (server, cache) => deploymentsOf(server as Server, cache) },
      { resource: cloudAccountKind, wakes: deploymentsUsing, heeds: accountStanding },
      { resource: loadBalancerKind, wakes: deploymentOf },
      { resource: mySQLClusterKind, wakes: deploymentOf, heeds: requestOf },
      { resource: serverArrayKind, wakes: deploymentOf, heeds: requestOf },
    ],
    reconcile: (key, context) => reconcile(ports, key, context),
  };
}

async function reconcile(
  ports: DeploymentPorts,
  key: ObjectKey,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const deployment = ports.cache.get(siteDeploymentKind, key);
  if (deployment === undefined) return {};
  const { deletionTimestamp, finalizers = [] } = deployment.metadata;
  if (deletionTimestamp === undefined && !finalizers.includes(finalizer)) {
    await ports.kube.setFinalizers(siteDeploymentKind, deployment, withFinalizer(deployment));
    return { after: 0 };
  }
  const observed = await observe(ports, deployment, context.now);
  const plan = decide(observed);
  const written = await ports.kube.writeStatus(siteDeploymentKind, deployment, statusOf(observed, plan));
  announce(ports.events, observed, plan);
  announceInputs(ports.events, observed, plan);
  if (plan.mayGo) {
    await ports.kube.setFinalizers(siteDeploymentKind, written, withoutFinalizer(written));
    return {};
  }
  return { after: plan.inputs.reason === 'Resolved' ? checkPeriod : retryPeriod };
}

/** Tells what has changed since the last status. */
function announce(events: Events, { deployment, servers }: Observed, { ready }: Plan): void {
  if (ready.reason === reasonBefore(deployment, 'Ready')) return;
  if (ready.reason === 'AllMembersReady') events.normal(deployment, 'DeploymentReady', ready.message);
  if (ready.reason === 'NamespaceNotAllowed') events.warning(deployment, ready.reason, ready.message);
  if (ready.reason === 'MembersExist' && servers.length > 0) {
    events.warning(deployment, 'DeletionBlocked', ready.message);
  }
}

function announceInputs(events: Events, { deployment, servers }: Observed, { inputs }: Plan): void {
  if (inputs.reason !== 'Resolved' && inputs.reason !== reasonBefore(deployment, 'InputsResolved')) {
    events.warning(deployment, 'InputUnresolved', inputs.message);
  }
  const { observedGeneration } = deployment.status ?? {};
  const isEdited = observedGeneration !== undefined && observedGeneration !== deployment.metadata.generation;
  if (servers.length === 0 || !isEdited) return;
  const names = servers.slice(0, 10).map((server) => server.metadata.name);
  const message = `The spec changed; changed inputs reach a server with the next script that reads them: ${names.join(', ')}.`;
  events.normal(deployment, 'InputsChanged', message);
}

function reasonBefore({ status }: SiteDeployment, type: string): string | undefined {
  return findCondition(status, type)?.reason;
}

/** Its own deployment, and those whose inputs may wait for its address. */
function deploymentsOf({ metadata, spec }: Server, cache: Cache): readonly ObjectKey[] {
  const { namespace = '', name } = metadata;
  const waits = (deployment: SiteDeployment) =>
    (deployment.spec.inputs ?? []).some((input) => input.valueFrom?.endpointRef?.name === name);
  const waiting = cache.list(siteDeploymentKind, { namespace }).filter(waits).map(keyOf);
  return [{ namespace, name: spec.deploymentRef.name }, ...waiting];
}

function deploymentOf(member: AnyObject): readonly ObjectKey[] {
  const { metadata, spec } = member as LoadBalancer | MySQLCluster | ServerArray;
  return [{ namespace: metadata.namespace ?? '', name: spec.deploymentRef.name }];
}

function deploymentsUsing(account: AnyObject, cache: Cache): readonly ObjectKey[] {
  const uses = (deployment: SiteDeployment) => deployment.spec.accountRef.name === account.metadata.name;
  return cache.list(siteDeploymentKind).filter(uses).map(keyOf);
}
