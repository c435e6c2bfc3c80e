/** Reads everything a Server's decision needs, and no more than its stage needs. */
import { type Site, siteOf } from '../../accounts/site.ts';
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import { balancersOf, isDrained } from '../../api/drain.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import { labels } from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type ScriptRun, scriptRunKind } from '../../api/script-run.ts';
import type { Server } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import type { TemplateRevision } from '../../api/template-revision.ts';
import type { Instant } from '../../base/clock.ts';
import type { Cache } from '../../kube/port.ts';
import { adopts } from './decide/adopt.ts';
import type { Observed, Owner } from './decide/plan.ts';
import { type AdoptionPorts, observeAdoption } from './observe-adoption.ts';
import { type BasisPorts, observeBasis, readRevision } from './observe-basis.ts';
import { type HostPorts, observeHost } from './observe-host.ts';

export interface ObservePorts extends AdoptionPorts, HostPorts {}

/** What a stage does not need is undefined. Hosts and EC2 that do not answer are facts, not errors. */
export async function observe(ports: ObservePorts, server: Server, now: Instant): Promise<Observed> {
  const { cache } = ports;
  const { metadata, status = {} } = server;
  const namespace = metadata.namespace ?? '';
  const site = siteOf(cache, server);
  const { deployment } = site;
  const account = accountOf(cache, server, site);
  const wantsMachine = status.instanceID === undefined && metadata.deletionTimestamp === undefined;
  const adopting = adopts({ server, status });
  const common = {
    now,
    server,
    status,
    suspended: site.suspended,
    owner: ownerOf(cache, server),
    draining: isDraining(cache, server, now),
    account,
    revision: revisionOf(ports, server),
    bootRun: runOf(ports, namespace, status.bootRunRef?.name),
    decommissionRun: runOf(ports, namespace, status.decommissionRunRef?.name),
    batch: await batchOf(ports, server),
    basis:
      wantsMachine && !adopting ? await observeBasis(ports, { server, deployment, account, now }) : undefined,
    adoption:
      wantsMachine && adopting
        ? await observeAdoption(ports, { server, deployment, account, now })
        : undefined,
  };
  return { ...common, ...(await observeHost(ports, common)) };
}

/** The account that pays for the machine; while there is none, the one that would. */
function accountOf(cache: Cache, { status }: Server, site: Site): CloudAccount | undefined {
  const ref = status?.accountRef;
  return ref === undefined ? site.account : cache.get(cloudAccountKind, { name: ref.name });
}

/** What the machine was launched from. */
function revisionOf({ cache }: BasisPorts, { metadata, status }: Server): TemplateRevision | undefined {
  const { templateName, templateRevision } = status ?? {};
  if (templateName === undefined || templateRevision === undefined) return undefined;
  return readRevision(cache, metadata.namespace ?? '', templateName, templateRevision);
}

/** The batch that answers the newest launch request. */
async function batchOf({ kube, cache }: BasisPorts, server: Server): Promise<LaunchBatch | undefined> {
  const { namespace, uid, deletionTimestamp } = server.metadata;
  const { launchRequest, instanceID } = server.status ?? {};
  if (launchRequest === undefined || instanceID !== undefined || namespace === undefined) return undefined;
  // A Server that leaves must not overlook a launch: then the API server itself is asked.
  const batches =
    deletionTimestamp === undefined
      ? cache.list(launchBatchKind, { namespace })
      : await kube.list(launchBatchKind, { namespace });
  return batches.find((batch) =>
    batch.spec.slots.some(
      (slot) =>
        slot.serverUID === uid &&
        slot.incarnation === launchRequest.incarnation &&
        slot.attempt === launchRequest.attempt,
    ),
  );
}

function runOf({ cache }: BasisPorts, namespace: string, name: string | undefined): ScriptRun | undefined {
  return name === undefined ? undefined : cache.get(scriptRunKind, { namespace, name });
}

/** Undefined also for an owner that is gone, or is another object of the same name. */
function ownerOf(cache: Cache, { metadata }: Server): Owner | undefined {
  const { namespace = '', name } = metadata;
  const reference = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (reference === undefined) return undefined;
  const key = { namespace, name: reference.name };
  const array = cache.get(serverArrayKind, key);
  if (array?.metadata.uid === reference.uid) return { object: array, counts: false };
  const cluster = cache.get(mySQLClusterKind, key);
  return cluster?.metadata.uid === reference.uid
    ? { object: cluster, counts: countsOn(cluster, name) }
    : undefined;
}

/** A cluster that goes lets go of each of its servers itself. */
function countsOn({ metadata, status }: MySQLCluster, server: string): boolean {
  const isOnRecord =
    status?.primary?.server === server || status?.durability?.ackers.includes(server) === true;
  return isOnRecord || metadata.deletionTimestamp !== undefined;
}

/** Only servers of arrays stand behind load balancers; the array says how long they may take to let go. */
function isDraining(cache: Cache, { metadata }: Server, now: Instant): boolean {
  const { namespace = '', name, deletionTimestamp } = metadata;
  const arrayName = metadata.labels?.[labels.array];
  if (deletionTimestamp === undefined || arrayName === undefined) return false;
  const array = cache.get(serverArrayKind, { namespace, name: arrayName });
  const deadline = Date.parse(deletionTimestamp) + (array?.spec.drainSeconds ?? 0) * 1_000;
  return (
    now < deadline && !isDrained(name, balancersOf(arrayName, cache.list(loadBalancerKind, { namespace })))
  );
}
