/** Does one thing for a Server; every action is safe to repeat. */

import type { Accounts } from '../../accounts/port.ts';
import { apiVersion, keyText, labels, withFinalizer, withoutFinalizer } from '../../api/meta.ts';
import { type RetainedRecord, retainedKey, retainedTag } from '../../api/retained.ts';
import { type ScriptRun, scriptRunKind } from '../../api/script-run.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { AppError, hasCode } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Ending, Machines } from '../../cloud/port.ts';
import type { Kube, NewObject } from '../../kube/port.ts';
import type { Action, Observed, RunWish } from './decide/plan.ts';

export interface ActPorts {
  readonly kube: Kube;
  readonly accounts: Accounts;
  readonly failpoints: Failpoints;
}

/** `server` is the object as last written: changes of its metadata carry its resourceVersion. */
export async function act(
  ports: ActPorts,
  observed: Observed,
  server: Server,
  action: Action,
): Promise<void> {
  const { kube } = ports;
  switch (action.do) {
    case 'add-finalizer':
      await kube.setFinalizers(serverKind, server, withFinalizer(server));
      return;
    case 'create-run':
      await createRun(ports, server, action.run);
      return;
    case 'cancel-run':
      await kube.patch(scriptRunKind, action.run, { spec: { cancel: true } });
      return;
    case 'start':
      await (await machinesOf(ports, observed)).start(action.instanceID);
      return;
    case 'stop':
      await (await machinesOf(ports, observed)).stop(action.instanceID, endingOf(action));
      return;
    case 'terminate':
      await terminateMachine(ports, observed, action);
      return;
    case 'claim':
      await (await machinesOf(ports, observed)).tag(action.instanceID, action.tags);
      return;
    case 'retain':
      await retainMachine(ports, observed, action.instanceID);
      await removeFinalizer(ports, server);
      return;
    case 'remove-finalizer':
      await removeFinalizer(ports, server);
  }
}

async function createRun({ kube, failpoints }: ActPorts, server: Server, wish: RunWish): Promise<void> {
  try {
    await kube.create(scriptRunKind, draftRun(server, wish));
  } catch (error) {
    // Whose it is, the next pass finds out.
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
  failpoints.hit(wish.phase === 'Boot' ? 'boot.after-run-created' : 'delete.after-decommission-created');
}

function draftRun(server: Server, wish: RunWish): NewObject<ScriptRun> {
  const { name, namespace, uid } = server.metadata;
  const owner = { apiVersion, kind: serverKind.kind, name, uid, controller: true, blockOwnerDeletion: false };
  return {
    apiVersion,
    kind: scriptRunKind.kind,
    metadata: {
      name: wish.name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [labels.server]: name, [labels.deployment]: server.spec.deploymentRef.name },
      ownerReferences: [owner],
    },
    spec: {
      target: { server: name },
      phase: wish.phase,
      parallelism: 1,
      drain: false,
      maxFailures: 0,
      cancel: false,
      ...(wish.timeoutSeconds === undefined ? {} : { timeoutSeconds: wish.timeoutSeconds }),
    },
  };
}

function endingOf({ skipOsShutdown }: Ending): Ending {
  return { skipOsShutdown };
}

async function terminateMachine(
  ports: ActPorts,
  observed: Observed,
  action: Action & { readonly do: 'terminate' },
): Promise<void> {
  const machines = await machinesOf(ports, observed);
  ports.failpoints.hit('delete.before-terminate');
  try {
    await machines.terminate(action.instanceID, endingOf(action));
  } catch (error) {
    // An unknown id proves nothing right after a launch; the sweeps decide when it is gone.
    if (!hasCode(error, 'cloud.not-found')) throw error;
  }
  ports.failpoints.hit('delete.after-terminate');
}

async function retainMachine(ports: ActPorts, observed: Observed, instanceID: string): Promise<void> {
  const { account, server, status } = observed;
  const machines = await machinesOf(ports, observed);
  if (account !== undefined) {
    const { bucket, prefix } = account.spec.stateStore;
    const record: RetainedRecord = {
      server: keyText(server.metadata),
      sshHostKeys: [...(status.sshHostKeys ?? [])],
    };
    const { objects } = (await ports.accounts.open(account)).cloud;
    await objects.put(bucket, retainedKey(prefix, instanceID), JSON.stringify(record));
  }
  await machines.tag(instanceID, { [retainedTag]: keyText(server.metadata) });
}

async function removeFinalizer({ kube, failpoints }: ActPorts, server: Server): Promise<void> {
  failpoints.hit('delete.before-finalizer-removed');
  await kube.setFinalizers(serverKind, server, withoutFinalizer(server));
}

async function machinesOf({ accounts }: ActPorts, { account, status }: Observed): Promise<Machines> {
  if (account === undefined) {
    const name = status.accountRef?.name ?? '';
    throw new AppError('cloud.account-not-ready', `CloudAccount/${name} is gone; put it back`);
  }
  return (await accounts.open(account)).cloud.machines;
}
