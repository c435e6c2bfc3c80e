/** All faults end and people stop: whether all is well again, and what is left over. */
import { isFinished } from '../../../controller/api/promotion.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import type { House } from './house.ts';
import type { Invariants } from './invariants.ts';
import { isLive, recordedAckers } from './truth.ts';
import { members } from './victims.ts';

const limit: Millis = 600_000;
/** Nothing happens any more but what the controller does. */
const slowTick: Millis = 1_000;

/** Ends every fault; with `leavesWreck` one dead machine stays dead, if all its acknowledged writes are elsewhere. */
export function endFaults(house: House, leavesWreck: boolean): void {
  const { databases, machinery } = house;
  const dead = machinery.running.filter((address) => machinery.database(address)?.host !== 'Up');
  const wreck = leavesWreck ? dead.find((address) => canBeSpared(house, address)) : undefined;
  if (wreck !== undefined) machinery.wrecks.add(wreck);
  house.regret();
  house.start();
  databases.heal();
  for (const address of machinery.running) {
    if (machinery.wrecks.has(address)) continue;
    databases.resume(address);
    machinery.boot(address);
  }
  house.tell(wreck === undefined ? 'all faults end' : `all faults end, but ${wreck} is lost for good`);
}

/** Another that has joined, and is live or will be, has all that was acknowledged. */
function canBeSpared(house: House, address: string): boolean {
  const { machinery, databases, cluster } = house;
  const joined = (cluster?.status?.members ?? []).filter(
    ({ step, role }) => step === 'Joined' && role !== 'Fenced',
  );
  return joined
    .map(({ server }) => house.server(server)?.status?.privateIP ?? '')
    .filter((other) => other !== address && machinery.running.includes(other))
    .some((other) => databases.missingOn(other).length === 0);
}

/** Lets time pass until all is well. The pause between two failovers is as long as this limit, is told, and ends. */
export async function heal(house: House, invariants: Invariants): Promise<void> {
  let end = house.site.clock.now() + limit;
  while (house.site.clock.now() < end && invariants.violations.length === 0) {
    house.clients.write();
    await house.step(slowTick);
    invariants.look();
    if (whatIsUnfinished(house) === undefined) return;
    if (house.condition('FailoverArmed')?.reason === 'MinIntervalNotElapsed') end += slowTick;
  }
  if (invariants.violations.length > 0) return;
  const wrong = whatIsUnfinished(house);
  if (wrong !== undefined && !isForPeople(house))
    invariants.report('NotHealed', `after 10 minutes: ${wrong}`);
}

/** What is wrong, or on its way: changed passwords arrive, too. */
function whatIsUnfinished(house: House): string | undefined {
  const isOnItsWay = ['Rotating', 'Refused'].includes(house.condition('CredentialsCurrent')?.reason ?? '');
  return whatIsWrong(house) ?? (isOnItsWay ? whatIsFalse(house, 'CredentialsCurrent') : undefined);
}

/** The first thing that is not as it should be. */
export function whatIsWrong(house: House): string | undefined {
  if (house.cluster === undefined) return 'the cluster is gone';
  const open = house.promotions.find((one) => !isFinished(one));
  if (open !== undefined) return `Promotion ${open.metadata.name} does not end`;
  return (
    ['Ready', 'Redundant', 'FailoverArmed'].map((type) => whatIsFalse(house, type)).find(Boolean) ??
    leftOver(house)
  );
}

function whatIsFalse(house: House, type: string): string | undefined {
  const { status, reason, message } = house.condition(type) ?? {};
  return status === 'True' || reason === 'AcknowledgementNeeded'
    ? undefined
    : `${type} ${reason}: ${message}`;
}

function leftOver(house: House): string | undefined {
  const { machinery, servers, pardons } = house;
  const owned = new Set(servers.map(({ status }) => status?.instanceID));
  const orphan = machinery.machines.find(
    ({ id, state }) => state !== 'terminated' && !owned.has(id) && !pardons.machines.has(id),
  );
  return orphan === undefined ? undefined : `machine ${orphan.id} belongs to nobody`;
}

/** Only a person can end this, and is told so. */
function isForPeople(house: House): boolean {
  const { cluster, pardons } = house;
  if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return pardons.isCondemned;
  const stalled = house.condition('Stalled');
  const isTold = stalled?.status === 'True' || house.condition('FailingOver')?.reason === 'FailoverBlocked';
  return isTold && !couldGoOn(house);
}

/** The primary on record lives, or all that the record counts on do, and one of them can lead. */
function couldGoOn(house: House): boolean {
  const { cluster } = house;
  const { primary, durability } = cluster?.status ?? {};
  const live = members(house).filter((server) => isLive(house, server));
  const isThere = (name: string | undefined) => live.some(({ metadata }) => metadata.name === name);
  const ackers = durability?.ackers ?? [];
  const hasHeir = recordedAckers(house).some(({ canLead }) => canLead);
  const isProvable = durability?.state === 'Protected' && ackers.every(isThere) && hasHeir;
  return isThere(primary?.server) || isProvable;
}
