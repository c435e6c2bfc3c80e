/** Rounds in which the primary is ended in an orderly way, or cut off with an application server whose clients stay with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { replaced } from './failover-rounds.ts';
import { cutApart, cutOff, healAfter, whileCloud } from './harm.ts';
import type { Round, Scenario } from './round.ts';
import { startWriter } from './writer.ts';

/** How a host that is cut off is told to end. */
const ends = {
  sigterm: ({ site, primary }: Round) =>
    site.story.onMachine(primary.server, `systemctl stop --no-block ${site.unit}`),
  reboot: ({ site, primary }: Round) => site.story.onMachine(primary.server, 'systemctl reboot'),
  stop: (round: Round) => stopInstance(round, false),
  force: (round: Round) => stopInstance(round, true),
} as const;
type End = keyof typeof ends;

const loyalClients = { firstProcess: 200, clients: 4, pauseMs: 10 };
/** They have opened their sessions. */
const settleMs = 1_000;
/** Commits wait by then, and nobody has noticed yet. */
const unnoticedMs = 800;
/** Clients that never left the old primary stay so long after another one leads. */
const loyaltyMs = 5_000;

/** systemd stops the server of a primary in service. */
export async function terminated(round: Round): Promise<void> {
  await ends.sigterm(round);
  await replaced(round);
}

/** The same while commits wait, because no replica hears the primary. */
export async function terminatedWhileWaiting(round: Round): Promise<void> {
  const { site, primary } = round;
  await healAfter(async () => {
    await cutApart(site, [primary.server], await site.replicas());
    await sleep(unnoticedMs);
    await ends.sigterm(round);
    await replaced(round);
  });
}

/**
 * The primary and one of two application servers are cut off from replicas, the controller and the other one. Clients on the
 * first go on writing to it; none of them may be told that all is well. Then nothing more happens to it for a while, or it is
 * told to end.
 */
export function secluded(end?: End): Scenario {
  return async (round) => {
    const { site, record } = round;
    const [, inside = ''] = await site.applications();
    const loyal = await site.clientOn(inside);
    const writer = startWriter(loyal, loyalClients, record);
    // Else its power would be cut before anybody could be told anything.
    const slow = { kind: 'slow', action: 'StopInstances', delayMs: 20_000 };
    const work = () => cutThenEnd(round, inside, end);
    try {
      await sleep(settleMs);
      await healAfter(() => (end === undefined ? whileCloud(slow, work) : work()));
    } finally {
      loyal.close();
      await writer.stop();
    }
  };
}

/**
 * The primary is cut off from replicas and the controller alone: every application server goes on reaching it and tells the
 * controller so. It can acknowledge nothing, so it must be replaced.
 */
export async function seenByApplications(round: Round): Promise<void> {
  const { site, primary } = round;
  await healAfter(async () => {
    await cutOff(site, [primary.server], await site.applications());
    await replaced(round);
  });
}

async function cutThenEnd(round: Round, application: string, end: End | undefined): Promise<void> {
  const { site, primary } = round;
  await cutOff(site, [primary.server, application]);
  round.harmedAt = Date.now();
  if (end !== undefined) {
    await sleep(unnoticedMs);
    await ends[end](round);
  }
  await replaced(round);
  await sleep(loyaltyMs);
}

async function stopInstance({ site, primary }: Round, Force: boolean): Promise<void> {
  const InstanceIds = [await site.instanceOf(primary.server)];
  await site.installation.ec2.send(new StopInstancesCommand({ InstanceIds, Force }));
}
