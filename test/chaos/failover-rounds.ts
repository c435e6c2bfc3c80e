/** Rounds in which the primary dies, or is changed, and another one takes writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failpointNames } from '../../controller/base/failpoints.ts';
import { type Death, harm, healAfter, kill, whileCloud } from './harm.ts';
import type { Round, Scenario } from './round.ts';
import { startWriter } from './writer.ts';

/** Longer than any failover may take. */
const endTimeout = '--timeout=60s';

/** The primary dies one way; it is replaced, once, and nothing is said to be lost. */
export function death(way: Death): Scenario {
  return async (round) => {
    const die = async () => {
      await kill(round.site, round.primary.server, way);
      await replaced(round);
    };
    await (way === 'partition' ? healAfter(die) : die());
  };
}

/** EC2 tells of the past, and the primary loses its power. */
export async function staleReads(round: Round): Promise<void> {
  const fault = { kind: 'stale-reads', p50Ms: 500, p99Ms: 5_000, seed: round.draw.afterMs };
  await whileCloud(fault, async () => {
    await kill(round.site, round.primary.server, 'power-off');
    await replaced(round);
  });
}

/** A frozen primary thaws after another one was promoted; a client that never left it must hear nothing good. */
export async function zombie(round: Round): Promise<void> {
  const { site, primary, record } = round;
  const loyal = await site.connectTo(primary.server);
  const writer = startWriter(loyal, { firstProcess: 200, clients: 2, pauseMs: 10 }, record);
  try {
    await sleep(1_000);
    await freezeAndThaw(round);
  } finally {
    await writer.stop();
    loyal.close();
  }
  await replaced(round);
  const { quarantined = [], rejoin } = await site.status();
  round.expect(
    // It may have been found to be clean already.
    [...quarantined, ...(rejoin === undefined ? [] : [rejoin])].some(
      ({ server }) => server === primary.server,
    ),
    `${primary.server} is not quarantined`,
  );
}

async function freezeAndThaw(round: Round): Promise<void> {
  const { site, primary } = round;
  // EC2 takes its time to stop it: else there would be nothing to thaw.
  await whileCloud({ kind: 'slow', action: 'StopInstances', delayMs: 20_000 }, async () => {
    await harm(site, primary.server, 'hang');
    await committed(round);
    await sleep(3_000);
    await harm(site, primary.server, 'resume');
    await sleep(5_000);
  });
}

/** A planned change: nobody dies. */
export async function switchover(round: Round): Promise<void> {
  await round.site.switchOver(plannedName(round));
  await ended(round, plannedName(round));
}

/** Of this round alone: where nothing came of an earlier one, the epoch is still the same. */
function plannedName({ harmedAt }: Round): string {
  return `planned-${harmedAt}`;
}

async function order(round: Round): Promise<void> {
  await round.site.orderSwitchover(plannedName(round));
}

/** The planned change, or its way back. */
async function carriedOut(round: Round): Promise<void> {
  const { site, primary } = round;
  const name = plannedName(round);
  await finished(round, name);
  const { conditions = [] } = await site.promotion(name);
  const { reason, message } = conditions.find(({ type }) => type === 'Succeeded') ?? {};
  if (reason !== 'RolledBack') return await ended(round, name);
  console.log(`    ${message}`);
  const now = await site.primary();
  round.expect(now.server === primary.server, `${now.server} leads after ${name} was rolled back`);
}

async function finished({ site }: Round, promotion: string): Promise<void> {
  await site.story.kubectl('wait', `rlp/${promotion}`, '--for=condition=Finished', endTimeout);
}

/** A change of primary in which the controller dies: what begins it, and what must be true in the end. */
interface Change {
  readonly begin: (round: Round) => Promise<void>;
  readonly finish: (round: Round) => Promise<void>;
}

/** The controller is killed at one place of a failover, another place each round, and comes back. */
export function killedInFailover(): Scenario {
  const begin = async ({ site, primary }: Round) => kill(site, primary.server, 'power-off');
  return controllerKilled({ begin, finish: replaced });
}

/** The same in a planned change. When the pause becomes too long meanwhile, the old primary must have its writes back. */
export function killedInSwitchover(): Scenario {
  return controllerKilled({ begin: order, finish: carriedOut });
}

function controllerKilled({ begin, finish }: Change): Scenario {
  const places = failpointNames.filter((name) => name.startsWith('failover.'));
  let next = 0;
  return async (round) => {
    const { installation } = round.site;
    // Nobody wrote heartbeats while there was no controller.
    round.comparable = false;
    const place = places[next++ % places.length] ?? '';
    await installation.killController();
    await installation.startController({ RIDGELINE_FAILPOINT: place });
    await begin(round);
    const wasReached = await hasDied(round);
    console.log(`    controller ${wasReached ? 'killed' : 'never came by'} at ${place}`);
    if (!wasReached) await installation.killController();
    await installation.startController();
    await finish(round);
  };
}

/** Whether the controller died before it had finished. */
async function hasDied({ site, primary }: Round): Promise<boolean> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (!site.installation.controllerRuns()) return true;
    const { primary: now, currentPromotionRef } = await site.status();
    if (now?.epoch !== primary.epoch && currentPromotionRef === undefined) return false;
    await sleep(200);
  }
  return false;
}

/** Waits for the automatic change of primary and looks at its end. */
export async function replaced(round: Round): Promise<void> {
  const name = `db-epoch-${await committed(round)}`;
  await finished(round, name);
  await ended(round, name);
}

/** Waits until another primary is on record; returns its epoch. */
async function committed({ site, primary }: Round): Promise<number> {
  const epoch = primary.epoch + 1;
  await site.story.kubectl('wait', 'rlm/db', `--for=jsonpath={.status.primary.epoch}=${epoch}`, endTimeout);
  return epoch;
}

async function ended(round: Round, name: string): Promise<void> {
  const { site, primary } = round;
  const promotion = await site.promotion(name);
  round.promotion = promotion;
  const { newPrimary, dataLoss, conditions = [] } = promotion;
  const succeeded = conditions.find(({ type }) => type === 'Succeeded');
  round.expect(
    succeeded?.status === 'True',
    `${name} ended with ${succeeded?.reason}: ${succeeded?.message}`,
  );
  const mayLose = site.shape.durability === 'Async' && site.shape.dataLoss === 'Accept';
  round.expect(dataLoss === 'None' || mayLose, `${name} says that data loss is ${dataLoss}`);
  const now = await site.primary();
  round.expect(
    now.server === newPrimary && now.epoch === primary.epoch + 1,
    `${now.server} leads epoch ${now.epoch} after ${name} promoted ${newPrimary}`,
  );
}
