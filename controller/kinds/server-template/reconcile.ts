/** Cuts an immutable revision whenever what a new server would be has changed. */

import type { Accounts } from '../../accounts/port.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import {
  type AnyObject,
  hasFinalizer,
  keyOf,
  type ObjectKey,
  withFinalizer,
  withoutFinalizer,
} from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type ControllerRevision, controllerRevisions } from '../../api/resource.ts';
import { scriptKind } from '../../api/script.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import { type ServerTemplate, serverTemplateKind } from '../../api/server-template.ts';
import { accountStanding, deploymentStanding, requestOf } from '../../api/standing.ts';
import { type TemplateRevision, templateLabel, templateRevision } from '../../api/template-revision.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { holdRevisions, releaseRevisions, removeRevisions, storeRevision } from './act.ts';
import type { Observed } from './decide.ts';
import { decide, type Plan } from './decide.ts';
import { Images } from './images.ts';
import { hashesInUse, type ObservePorts, observe } from './observe.ts';
import { freezeRevision, hashOf, listDifferences, scriptNames } from './revision.ts';
import { type Outcome, statusOf } from './status.ts';

export interface ServerTemplatePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
}

interface Ports extends ServerTemplatePorts, ObservePorts {}

/** How often a broken template is looked at again, and a sound one's image is checked. */
const retryPeriod = 30_000;
const checkPeriod = 600_000;
/** etcd takes objects of 1.5 MiB; this leaves room for the rest of the object. */
const largestRevision = 1_000_000;

/** Images are remembered in memory. */
export function createServerTemplateController(ports: ServerTemplatePorts): KindController {
  const own: Ports = { ...ports, images: new Images() };
  return {
    name: 'server-template',
    resource: serverTemplateKind,
    workers: 4,
    // It counts servers, and hundreds may change in a second.
    rest: 1_000,
    watches: [
      { resource: scriptKind, wakes: (script, cache) => templatesNaming(script, cache) },
      { resource: serverKind, wakes: (server) => templatesOf(server as Server) },
      {
        resource: mySQLClusterKind,
        wakes: (cluster) => [templateOf(cluster as MySQLCluster)],
        heeds: requestOf,
      },
      { resource: serverArrayKind, wakes: (array) => [templateOf(array as ServerArray)] },
      {
        resource: siteDeploymentKind,
        wakes: (deployment, cache) => templatesBeside(deployment, cache),
        heeds: deploymentStanding,
      },
      { resource: controllerRevisions, wakes: ownerOf },
      {
        resource: cloudAccountKind,
        wakes: (_, cache) => cache.list(serverTemplateKind).map(keyOf),
        heeds: accountStanding,
      },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const found = ports.cache.get(serverTemplateKind, key);
  if (found === undefined) {
    await releaseRevisions(ports.kube, strayRevisions(ports.cache, key));
    return {};
  }
  const template = isNew(found)
    ? await ports.kube.setFinalizers(serverTemplateKind, found, withFinalizer(found))
    : found;
  const observed = await observe(ports, template, context.now);
  const plan = decide(observed);
  await releaseRevisions(ports.kube, plan.released);
  if (plan.mayGo) return await letGo(ports, template);
  const outcome = await carryOut(ports, observed, plan);
  await removeRevisions(ports.kube, plan.expired);
  await holdRevisions(ports.kube, without(observed.revisions, [...plan.expired, ...plan.released]));
  await ports.kube.writeStatus(serverTemplateKind, template, statusOf(observed, outcome));
  announce(ports.events, observed, outcome);
  return { after: outcome.problem === undefined ? checkPeriod : retryPeriod };
}

/** Nothing holds it yet. */
function isNew({ metadata }: ServerTemplate): boolean {
  return metadata.deletionTimestamp === undefined && !hasFinalizer({ metadata });
}

async function letGo({ kube, images }: Ports, template: ServerTemplate): Promise<ReconcileResult> {
  images.forget(template.metadata.uid);
  await kube.setFinalizers(serverTemplateKind, template, withoutFinalizer(template));
  return {};
}

/** Revisions of a template that is gone, whose deletion was asked for and that nobody runs from any more. */
function strayRevisions(cache: Cache, { namespace = '', name }: ObjectKey): readonly ControllerRevision[] {
  const inUse = hashesInUse(cache, namespace);
  return cache
    .list(controllerRevisions, { namespace, labels: { [templateLabel]: name } })
    .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    .filter(({ metadata }) => !inUse.has(metadata.name.slice(name.length + 1)));
}

function without(all: readonly ControllerRevision[], some: readonly ControllerRevision[]) {
  return all.filter((revision) => !some.includes(revision));
}

/** Stores the revision before the status names it. */
async function carryOut(ports: Ports, observed: Observed, plan: Plan): Promise<Outcome> {
  const { template } = observed;
  const { revision, imageID } = template.status ?? {};
  if (plan.content === undefined) return { revision, imageID, problem: plan.problem };
  const data = freezeRevision(template, plan.content.imageID, plan.content.scripts);
  const size = JSON.stringify(data).length;
  if (size > largestRevision) {
    const message = `All scripts together take ${size} bytes, more than ${largestRevision}. Move some to S3 or into packages.`;
    return { revision, imageID, problem: { reason: 'ScriptsTooLarge', message } };
  }
  const hash = hashOf(data);
  await storeRevision(ports.kube, observed, { hash, data });
  if (hash !== revision) announceRevision(ports.events, observed, { hash, data });
  return { revision: hash, imageID: data.imageID, problem: plan.problem };
}

function announceRevision(
  events: Events,
  { template, revisions }: Observed,
  { hash, data }: { readonly hash: string; readonly data: TemplateRevision },
): void {
  const old = template.status?.revision;
  const stored = revisions.find(
    (revision) => old !== undefined && revision.metadata.name.endsWith(`-${old}`),
  );
  if (stored === undefined) {
    events.normal(template, 'RevisionChanged', `First revision ${hash}.`);
    return;
  }
  const changed = listDifferences(templateRevision.parse(stored.data), data).join(', ');
  events.normal(template, 'RevisionChanged', `Revision ${hash} replaces ${old ?? ''}; changed: ${changed}.`);
}

/** A problem is told when it begins or changes. */
function announce(events: Events, { template }: Observed, { problem }: Outcome): void {
  const before = template.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (problem === undefined || problem.reason === 'Resolving') return;
  if (before?.reason !== problem.reason) events.warning(template, problem.reason, problem.message);
}

/** The one it points to, and the one its machine was made from. */
function templatesOf(server: Server): readonly ObjectKey[] {
  const { namespace = '' } = server.metadata;
  const { templateName } = server.status ?? {};
  return [templateOf(server), ...(templateName === undefined ? [] : [{ namespace, name: templateName }])];
}

function templateOf({ metadata, spec }: Server | ServerArray | MySQLCluster): ObjectKey {
  return { namespace: metadata.namespace ?? '', name: spec.serverTemplateRef.name };
}

function templatesBeside({ metadata }: AnyObject, cache: Cache): readonly ObjectKey[] {
  return cache.list(serverTemplateKind, { namespace: metadata.namespace ?? '' }).map(keyOf);
}

function templatesNaming(script: AnyObject, cache: Cache): readonly ObjectKey[] {
  const { namespace = '', name } = script.metadata;
  const names = (template: ServerTemplate) => scriptNames(template).includes(name);
  return cache.list(serverTemplateKind, { namespace }).filter(names).map(keyOf);
}

function ownerOf({ metadata }: AnyObject): readonly ObjectKey[] {
  const name = metadata.labels?.[templateLabel];
  return name === undefined ? [] : [{ namespace: metadata.namespace ?? '', name }];
}
