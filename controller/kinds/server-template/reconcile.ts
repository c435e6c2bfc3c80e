/** Cuts an immutable revision whenever what a new server would be has changed. */

import type { Accounts } from '../../accounts/port.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { type AnyObject, keyOf, type ObjectKey } from '../../api/meta.ts';
import { controllerRevisions } from '../../api/resource.ts';
import { scriptKind } from '../../api/script.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import { type ServerTemplate, serverTemplateKind } from '../../api/server-template.ts';
import { accountStanding, deploymentStanding } from '../../api/standing.ts';
import { type TemplateRevision, templateLabel, templateRevision } from '../../api/template-revision.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { removeRevisions, storeRevision } from './act.ts';
import type { Observed } from './decide.ts';
import { decide, type Plan } from './decide.ts';
import { Images } from './images.ts';
import { type ObservePorts, observe } from './observe.ts';
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
      { resource: serverKind, wakes: (server) => [templateOf(server as Server)] },
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
  const template = ports.cache.get(serverTemplateKind, key);
  if (template === undefined) return {};
  if (template.metadata.deletionTimestamp !== undefined) {
    ports.images.forget(template.metadata.uid);
    return {};
  }
  const observed = await observe(ports, template, context.now);
  const plan = decide(observed);
  const outcome = await carryOut(ports, observed, plan);
  await removeRevisions(ports.kube, plan.expired);
  await ports.kube.writeStatus(serverTemplateKind, template, statusOf(observed, outcome));
  announce(ports.events, observed, outcome);
  return { after: outcome.problem === undefined ? checkPeriod : retryPeriod };
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

function templateOf({ metadata, spec }: Server | ServerArray): ObjectKey {
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
