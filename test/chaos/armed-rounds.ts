/** Rounds that ask whether FailoverArmed is ever wrong: among acts of people and restarts, the primary dies while it says True. */
import { setTimeout as sleep } from 'node:timers/promises';
import { replaced } from './failover-rounds.ts';
import { bringBack, harm } from './harm.ts';
import type { Round } from './round.ts';

/** What is done to a cluster before, as a person or a machine does it. */
type Unrest = (round: Round, replica: string) => Promise<unknown>;

const statements = {
  MySQL: {
    takeWrites: 'SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF',
    stopReplica: 'STOP REPLICA',
    acknowledgeNoMore:
      'SET GLOBAL rpl_semi_sync_replica_enabled = OFF; STOP REPLICA IO_THREAD; START REPLICA IO_THREAD',
    waitNoMore: 'SET GLOBAL rpl_semi_sync_source_enabled = OFF',
  },
  MariaDB: {
    takeWrites: 'SET GLOBAL read_only = OFF',
    stopReplica: 'STOP SLAVE',
    acknowledgeNoMore:
      'SET GLOBAL rpl_semi_sync_slave_enabled = OFF; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD',
    waitNoMore: 'SET GLOBAL rpl_semi_sync_master_enabled = OFF',
  },
} as const;

function typed(what: keyof (typeof statements)['MySQL']): Unrest {
  return ({ site }, replica) => site.sql(replica, statements[site.shape.flavor][what]);
}

const unrest: Readonly<Record<string, Unrest>> = {
  nothing: () => Promise.resolve(),
  'a replica takes writes by hand': typed('takeWrites'),
  'a replica is stopped by hand': typed('stopReplica'),
  'a replica acknowledges no more by hand': typed('acknowledgeNoMore'),
  'the primary waits no more by hand': async ({ site, primary }) => {
    await site.sql(primary.server, statements[site.shape.flavor].waitNoMore);
    // So long it may go unseen.
    await sleep(seenWithinMs);
  },
  'the server of a replica restarts': ({ site }, replica) =>
    site.story.onMachine(replica, `systemctl restart --no-block ${site.unit}`),
  'the server of a replica dies': ({ site }, replica) => site.killProcess(replica),
  'the host of a replica reboots': ({ site }, replica) => site.story.onMachine(replica, 'systemctl reboot'),
  'a replica is deleted': ({ site }, replica) =>
    // It belongs to a protected cluster: without the label that is refused.
    site.story
      .kubectl('label', `rlsrv/${replica}`, 'ridgeline.dev/allow-delete=true')
      .then(() => site.story.kubectl('delete', `rlsrv/${replica}`, '--wait=false')),
  'a planned change': async (round) => {
    const { site } = round;
    await site.switchOver(`armed-${round.harmedAt}`);
    round.primary = await site.primary();
  },
};

/** A person's change to what the guarantee rests on is seen within so long. */
const seenWithinMs = 5_000;
const longestPauseMs = 8_000;
const armedWithin = '--timeout=120s';

/** Something is done, some seconds pass, and as soon as the condition says True the power is cut. */
export async function armed(round: Round): Promise<void> {
  const { site, draw } = round;
  const names = Object.keys(unrest);
  const name = names[draw.afterMs % names.length]!;
  const pause = (draw.afterMs * 7) % longestPauseMs;
  const [replica = ''] = await site.replicas();
  // Commits may have had to wait before the primary died, too.
  round.comparable = name === 'nothing';
  round.harmedAt = Date.now();
  await unrest[name]!(round, replica);
  await sleep(pause);
  await site.story.kubectl('wait', 'rlm/db', '--for=condition=FailoverArmed', armedWithin);
  const said = await site.condition('FailoverArmed');
  round.primary = await site.primary();
  await harm(site, round.primary.server, 'power-off');
  const after = ((Date.now() - round.harmedAt) / 1_000).toFixed(1);
  console.log(`    ${name}; ${after} s later FailoverArmed is ${said?.status}: ${said?.message}`);
  round.harmedAt = Date.now();
  try {
    await replaced(round);
  } catch (error) {
    round.violations.push(error instanceof Error ? error.message : String(error));
  }
  const { server } = await site.primary();
  if (server !== round.primary.server) return;
  round.violations.push(`FailoverArmed was True ${after} s after "${name}", yet nobody took over`);
  await bringBack(site, [server]);
}
