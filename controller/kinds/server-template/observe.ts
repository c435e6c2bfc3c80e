/** Reads what a template depends on: its scripts, its image, the servers made from it and the revisions kept. */

import { accountFor } from '../../accounts/gate.ts';
import type { Accounts } from '../../accounts/port.ts';
import { isTrue } from '../../api/conditions.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import type { AnyObject } from '../../api/meta.ts';
import { mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type ControllerRevision, controllerRevisions } from '../../api/resource.ts';
import { type Script, scriptKind } from '../../api/script.ts';
import { serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import type { ServerTemplate } from '../../api/server-template.ts';
import { type FrozenScript, readTemplateRevision, templateLabel } from '../../api/template-revision.ts';
import type { Instant } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Cloud } from '../../cloud/port.ts';
import { freezeScript } from '../../inputs/script-text.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { ImageFacts, Observed, ScriptFacts } from './decide.ts';
import type { Images } from './images.ts';
import { scriptNames } from './revision.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly images: Images;
}

/** Reads the cache, Scripts' texts and the image; what cannot be read is a fact. */
export async function observe(
  ports: ObservePorts,
  template: ServerTemplate,
  now: Instant,
): Promise<Observed> {
  const { cache } = ports;
  const { name, namespace = '' } = template.metadata;
  const servers = cache
    .list(serverKind, { namespace })
    .filter((server) => server.spec.serverTemplateRef.name === name);
  const revisions = cache
    .list(controllerRevisions, { namespace, ownerUid: template.metadata.uid })
    .filter((revision) => revision.metadata.labels?.[templateLabel] === name)
    .toSorted((a, b) => b.revision - a.revision);
  const { cloud, image } = await lookAtCloud(ports, template, now);
  return {
    now,
    template,
    image,
    scripts: await Promise.all(
      scriptNames(template).map((script) => lookAtScript(ports, { template, revisions, cloud }, script)),
    ),
    servers,
    arrays: cache
      .list(serverArrayKind, { namespace })
      .filter((array) => array.spec.serverTemplateRef.name === name),
    deployments: cache.list(siteDeploymentKind, { namespace }),
    revisions,
    inUse: hashesInUse(cache, namespace),
    users: usersOf(cache, template),
  };
}

async function lookAtCloud(
  ports: ObservePorts,
  template: ServerTemplate,
  now: Instant,
): Promise<{ readonly cloud?: Cloud; readonly image: ImageFacts }> {
  const account = await accountFor(ports, template.metadata.namespace ?? '');
  if (account === undefined) {
    const message = 'No CloudAccount allows this namespace, so images cannot be looked up.';
    return { image: { reason: 'AccountNotReady', message } };
  }
  try {
    const { cloud } = await ports.accounts.open(account);
    return { cloud, image: await ports.images.of(template, cloud.machines, now) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = `CloudAccount/${account.metadata.name}: ${error.message} [${error.code}]`;
    return { image: { reason: 'AccountNotReady', message } };
  }
}

interface Known {
  readonly template: ServerTemplate;
  readonly revisions: readonly ControllerRevision[];
  readonly cloud: Cloud | undefined;
}

/** The Script's own controller reads and checks its text; here it is fetched only when it has changed. */
async function lookAtScript(ports: ObservePorts, known: Known, name: string): Promise<ScriptFacts> {
  const { namespace = '' } = known.template.metadata;
  const script = ports.cache.get(scriptKind, { namespace, name });
  if (script === undefined) {
    return { name, reason: 'ScriptNotFound', message: `Script/${name} does not exist.` };
  }
  const ready = script.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready === undefined || ready.observedGeneration !== script.metadata.generation) {
    return { name, reason: 'Resolving', message: `Script/${name} is being checked.` };
  }
  if (!isTrue(script, 'Ready')) {
    return { name, reason: 'ScriptInvalid', message: `Script/${name} (${ready.reason}): ${ready.message}` };
  }
  const frozen = knownText(known, script) ?? (await freezeScript(ports.kube, script, known.cloud?.objects));
  return 'reason' in frozen
    ? { name, reason: 'ScriptInvalid', message: `Script/${name} (${frozen.reason}): ${frozen.message}` }
    : { name, frozen };
}

/** The text with the digest in the Script's status, if the current revision holds it already. */
function knownText({ template, revisions }: Known, script: Script): FrozenScript | undefined {
  const hash = template.status?.revision;
  const current = revisions.find(
    (revision) => hash !== undefined && revision.metadata.name.endsWith(`-${hash}`),
  );
  if (current === undefined || script.status?.sha256 === undefined) return undefined;
  const { sha256 } = script.status;
  const same = readTemplateRevision(current.data)?.scripts.find((one) => one.sha256 === sha256);
  if (same === undefined) return undefined;
  const { source: _source, description: _description, ...body } = script.spec;
  return { name: script.metadata.name, sha256, text: same.text, ...body };
}

/** A Server counts by its machine's template, too: what it points to may have been changed since. */
function usersOf(cache: Cache, { metadata }: ServerTemplate): readonly AnyObject[] {
  const { namespace = '', name } = metadata;
  const refers = ({ spec }: { readonly spec: { readonly serverTemplateRef: { readonly name: string } } }) =>
    spec.serverTemplateRef.name === name;
  const servers = cache
    .list(serverKind, { namespace })
    .filter((server) => refers(server) || server.status?.templateName === name);
  const batches = cache
    .list(launchBatchKind, { namespace })
    .filter((batch) => refers(batch) && isOpen(batch));
  return [
    ...cache.list(mySQLClusterKind, { namespace }).filter(refers),
    ...cache.list(serverArrayKind, { namespace }).filter(refers),
    ...servers,
    ...batches,
  ];
}

function isOpen({ status }: LaunchBatch): boolean {
  return status?.outcome !== 'Completed' && status?.outcome !== 'Failed';
}

/** Of any template in the namespace: an equal hash is an equal content. */
export function hashesInUse(cache: Cache, namespace: string): ReadonlySet<string> {
  const servers = cache.list(serverKind, { namespace });
  const batches = cache.list(launchBatchKind, { namespace });
  const arrays = cache.list(serverArrayKind, { namespace });
  const hashes = [
    ...arrays.map((array) => array.spec.templateRevision),
    ...arrays.map((array) => array.status?.activeRevision),
    ...arrays.map((array) => array.status?.update?.revision),
    ...servers.map((server) => server.spec.templateRevision),
    ...servers.map((server) => server.status?.templateRevision),
    ...servers.map((server) => server.status?.launchRequest?.revision),
    ...batches.map((batch) => batch.spec.templateRevision),
  ];
  return new Set(hashes.filter((hash) => hash !== undefined));
}
