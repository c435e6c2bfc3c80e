/** Finds machines that no Server owns: marks them first, terminates them an hour later, and stops when there are many. */

import type { Accounts, OpenAccount } from '../../accounts/port.ts';
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext } from '../../kube/reconciler.ts';
import { type Action, decide, orphanedTag, type Plan, surgeLimit } from './decide.ts';
import type { GarbageCollectionMetrics } from './metrics.ts';
import { ownedIds, readOwnership } from './observe.ts';

export interface GarbageCollectionPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly metrics: GarbageCollectionMetrics;
  readonly breaker: Breaker;
  /** The namespaces this process looks after; empty = all. Machines of others are none of its business. */
  readonly namespaces: readonly string[];
}

/** What has to be remembered of an account between two looks; losing it only costs a minute. */
interface Memory {
  readonly suspects: ReadonlyMap<string, Instant>;
  readonly recent: readonly Instant[];
  readonly surge: boolean;
}

const period: Millis = 30_000;
const noMemory: Memory = { suspects: new Map(), recent: [], surge: false };

/** Who was seen without an owner is in memory: after a restart the waiting begins anew. */
export function createGarbageCollectionController(ports: GarbageCollectionPorts): KindController {
  const memories = new Map<string, Memory>();
  return {
    name: 'orphans',
    resource: cloudAccountKind,
    workers: 1,
    watches: [],
    reconcile: async (key, context) => {
      const account = ports.cache.get(cloudAccountKind, key);
      if (account === undefined) {
        memories.delete(key.name);
        return {};
      }
      memories.set(
        key.name,
        await observeAccount(ports, account, memories.get(key.name) ?? noMemory, context),
      );
      return { after: period };
    },
  };
}

async function observeAccount(
  ports: GarbageCollectionPorts,
  account: CloudAccount,
  memory: Memory,
  { now, log }: ReconcileContext,
): Promise<Memory> {
  const opened = await ports.accounts.open(account);
  const { sweptAt } = opened.view;
  if (sweptAt === undefined) return memory;
  const { namespaces } = ports;
  const machines = opened.view
    .all()
    .filter(({ tags }) => namespaces.length === 0 || namespaces.includes(tags['ridgeline:namespace'] ?? ''));
  const owned = ownedIds(machines, await readOwnership(ports.kube, namespaces));
  const plan = decide({ now, sweptAt, machines, owned, suspects: memory.suspects, recent: memory.recent });
  reportOrphans(ports, account, plan, { wasSurge: memory.surge, fleet: machines.length });
  for (const action of plan.actions) {
    if (action.do === 'terminate' && !mayTerminate(ports, account, machines.length, now)) continue;
    await act(ports, account, opened, action);
    log.warn({ do: action.do, machine: action.machine.id }, 'acted on an orphan');
  }
  const recent = [...memory.recent.slice(-100), ...plan.actions.map(() => now)];
  return { suspects: plan.suspects, recent, surge: plan.surge };
}

/** Asks the breaker that all automatic removals share; a refused orphan is looked at again with the next sweep. */
function mayTerminate(
  { breaker }: GarbageCollectionPorts,
  account: CloudAccount,
  fleet: number,
  now: Instant,
): boolean {
  const scope = `orphans/${account.metadata.name}`;
  if (breaker.allowance({ scope, size: fleet, fleet }, now) === 0) return false;
  breaker.note(scope, 1, now);
  return true;
}

function reportOrphans(
  { events, metrics }: GarbageCollectionPorts,
  account: CloudAccount,
  plan: Plan,
  { wasSurge, fleet }: { readonly wasSurge: boolean; readonly fleet: number },
): void {
  metrics.found(account.metadata.name, plan.orphans.length, plan.surge);
  if (!plan.surge || wasSurge) return;
  const text = `${plan.orphans.length} machines have no Server (limit ${surgeLimit(fleet)} in 10 min): none is touched. Were objects restored or deleted by force? Machines are tagged ridgeline:namespace and Name; terminate them yourself or bring the Servers back.`;
  events.warning(account, 'OrphanSurge', text);
}

async function act(
  { events, metrics }: GarbageCollectionPorts,
  account: CloudAccount,
  { cloud }: OpenAccount,
  action: Action,
): Promise<void> {
  const { machine } = action;
  const who = `${machine.id} (${machine.tags['Name'] ?? 'no name'})`;
  if (action.do === 'quarantine') {
    await cloud.machines.tag(machine.id, { [orphanedTag]: action.tag });
    const text = `${who} belongs to no Server. It is terminated in 1 h; to keep it: aws ec2 create-tags --resources ${machine.id} --tags Key=ridgeline:inspect,Value=keep`;
    events.warning(account, 'OrphanFound', text);
  } else {
    await cloud.machines.terminate(machine.id);
    events.warning(
      account,
      'OrphanTerminated',
      `${who} belonged to no Server for over an hour and was terminated.`,
    );
  }
  metrics.acted(account.metadata.name, action.do);
}
