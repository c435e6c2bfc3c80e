/** Runs one machine for each Server: launches it once, boots it, watches it, and leaves nothing behind. */

import type { Accounts } from '../../accounts/port.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { launchBatchKind } from '../../api/launch-batch.ts';
import { keyText, type ObjectKey } from '../../api/meta.ts';
import { mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { controllerRevisions } from '../../api/resource.ts';
import { scriptRunKind } from '../../api/script-run.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import { accountStanding, deploymentStanding, requestOf, templateStanding } from '../../api/standing.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { Shell } from '../../shell/port.ts';
import { act } from './act.ts';
import { ConsoleWatch } from './console-watch.ts';
import { decide } from './decide/index.ts';
import type { Observed, Plan } from './decide/plan.ts';
import { HealthChecks } from './health.ts';
import type { ServerMetrics } from './metrics.ts';
import { observe } from './observe.ts';
import { AdoptionClaims } from './observe-adoption.ts';
import { statusOf } from './status.ts';
import { byAccount, byDeployment, byOwner, byRevision, byRun, bySlot, byTemplate } from './wakes.ts';

export interface ServerPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly failpoints: Failpoints;
  readonly metrics: ServerMetrics;
}

interface Ports extends ServerPorts {
  readonly health: HealthChecks;
  readonly consoles: ConsoleWatch;
  readonly claims: AdoptionClaims;
}

/** Health checks and consoles are remembered in memory and asked for anew after a restart. */
export function createServerController(ports: ServerPorts): KindController {
  const own: Ports = {
    ...ports,
    health: new HealthChecks(ports.shell),
    consoles: new ConsoleWatch(),
    claims: new AdoptionClaims(),
  };
  return {
    name: 'server',
    resource: serverKind,
    // A pass may wait seconds for a host that does not answer.
    workers: 32,
    watches: [
      { resource: launchBatchKind, wakes: bySlot },
      { resource: scriptRunKind, wakes: byRun },
      { resource: siteDeploymentKind, wakes: byDeployment, heeds: deploymentStanding },
      { resource: serverTemplateKind, wakes: byTemplate, heeds: templateStanding },
      { resource: controllerRevisions, wakes: byRevision },
      { resource: cloudAccountKind, wakes: byAccount, heeds: accountStanding },
      { resource: mySQLClusterKind, wakes: byOwner, heeds: requestOf },
      { resource: serverArrayKind, wakes: byOwner, heeds: requestOf },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(
  ports: Ports,
  key: ObjectKey,
  { now, log }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, cache, health } = ports;
  const server = cache.get(serverKind, key);
  if (server === undefined) {
    health.forget(keyText(key));
    return {};
  }
  const observed = await observe(ports, server, now);
  const plan = decide(observed);
  // The intention first: whoever comes back after a crash finds it and goes on from there.
  const written = await kube.writeStatus(serverKind, server, statusOf(observed, plan));
  tellPlan(ports, observed, plan);
  if (plan.action !== undefined) {
    await performPlan(ports, observed, written, plan);
    log.info({ do: plan.action.do, because: plan.ready.message }, 'acted for a server');
  }
  return plan.recheckAfter === undefined ? {} : { after: plan.recheckAfter };
}

/** Does the plan's action; when that fails the status says so and the error decides about the retry. */
async function performPlan(ports: Ports, observed: Observed, written: Server, plan: Plan): Promise<void> {
  if (plan.action === undefined) return;
  try {
    await act(ports, observed, written, plan.action);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const trouble = `It failed and is tried again: ${error.message}`;
    await ports.kube.writeStatus(serverKind, written, statusOf(observed, plan, trouble));
    throw error;
  }
}

/** What the write made true: failpoints, events and metrics. */
function tellPlan({ failpoints, events, metrics, consoles }: Ports, observed: Observed, plan: Plan): void {
  const { server, status } = observed;
  const { record = {}, events: notes = [] } = plan;
  if (record.instanceID !== undefined) failpoints.hit('launch.after-server-bound');
  if (record.sshHostKeys !== undefined) failpoints.hit('boot.after-host-key-pinned');
  events.tell(server, notes);
  if (record.bootSeconds !== undefined) metrics.operational(status.templateName ?? '', record.bootSeconds);
  if (record.incarnation !== undefined && status.instanceID !== undefined) consoles.forget(status.instanceID);
}
