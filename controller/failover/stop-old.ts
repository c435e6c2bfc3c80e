/** Stops the old primary for good: its process over SSH, its power through EC2, both at once. */
import { messageLimit } from '../api/conditions.ts';
import { messageOf } from '../base/errors.ts';
import { cutText } from '../base/text.ts';
import type { StopProof } from './proof.ts';
import { limits, type Run, stampOf, withinLimit } from './run.ts';

/** Puts a proof on record with the next write. */
export function addProof(run: Run, type: StopProof, message: string): void {
  const { journal } = run;
  const proof = { type, message: cutText(message, messageLimit), time: journal.now() };
  const others = (journal.status.proofs ?? []).filter((one) => one.type !== type);
  journal.add({ proofs: [...others, proof] });
}

/** Whether one of these proofs that the old primary has stopped is on record. */
export function hasProof(run: Run, ...types: readonly StopProof[]): boolean {
  return (run.journal.status.proofs ?? []).some(({ type }) => types.includes(type));
}

/**
 * Asks for both and resolves when both have answered; may be repeated. What comes of it is put on record; failures are not
 * thrown, because the power may be cut though the host is silent, and the other way round.
 */
export async function stopOld(run: Run): Promise<readonly string[]> {
  if (hasProof(run, 'ProcessGone', 'InstanceStopped')) return [];
  const results = await Promise.all([killOld(run), powerOffOld(run)]);
  return results.filter((result) => result !== undefined);
}

async function killOld(run: Run): Promise<string | undefined> {
  const { old, ports } = run;
  if (old === undefined) return undefined;
  try {
    const killing = old.database.kill(stampOf(run));
    await withinLimit(run, limits.kill, `killing the database on ${old.server}`, killing);
    ports.failpoints.hit('failover.after-kill');
    addProof(run, 'ProcessGone', `The host of ${old.server} says that the server process is gone.`);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function powerOffOld(run: Run): Promise<string | undefined> {
  const { oldName, ports } = run;
  const instanceID = oldInstance(run);
  if (instanceID === undefined) return undefined;
  try {
    await ports.fence.cut({ server: oldName, instanceID });
    ports.failpoints.hit('failover.after-cut');
    if (await ports.fence.isStopped(instanceID)) {
      addProof(run, 'InstanceStopped', `EC2 says that ${instanceID} has stopped.`);
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Machine of the old primary, even when its Server is gone. After the commit the cluster's record names another. */
function oldInstance({ old, oldName, order }: Run): string | undefined {
  const { primary } = order.cluster.status ?? {};
  return old?.instanceID ?? (primary?.server === oldName ? primary.instanceID : undefined);
}
