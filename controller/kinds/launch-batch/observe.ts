/** Reads what a launch batch depends on: its account and the servers it launches for. */
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import type { LaunchBatch } from '../../api/launch-batch.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import type { Cache } from '../../kube/port.ts';
import type { Observed, SlotFacts } from './decide.ts';

/** Reads the cache only. A slot whose Server is gone or is being deleted is unwanted. */
export function observe(cache: Cache, batch: LaunchBatch, now: Instant): Observed {
  const { namespace } = batch.metadata;
  const slots = batch.spec.slots.map((slot) => {
    const server = cache.get(serverKind, {
      ...(namespace === undefined ? {} : { namespace }),
      name: slot.server,
    });
    return slotFacts(batch, slot, server);
  });
  return { now, batch, slots };
}

/** The batch's account; undefined when somebody deleted it. */
export function accountOf(cache: Cache, batch: LaunchBatch): CloudAccount | undefined {
  return cache.get(cloudAccountKind, { name: batch.spec.accountRef.name });
}

type Slot = LaunchBatch['spec']['slots'][number];

function slotFacts(batch: LaunchBatch, slot: Slot, server: Server | undefined): SlotFacts {
  const { index } = slot;
  if (server?.metadata.uid !== slot.serverUID) return { index, unwanted: true, settled: true };
  const made = batch.status?.instances?.find((instance) => instance.index === index);
  const hasTaken = made !== undefined && server.status?.instanceID === made.instanceID;
  const unwanted = server.metadata.deletionTimestamp !== undefined;
  return { index, unwanted, settled: hasTaken || hasMovedOn(server, slot) };
}

/** The server asks for another machine by now. */
function hasMovedOn({ status }: Server, slot: Slot): boolean {
  const { incarnation = slot.incarnation, launchRequest } = status ?? {};
  return incarnation > slot.incarnation || (launchRequest?.attempt ?? slot.attempt) > slot.attempt;
}
