/** One round under load: a fault, what the cluster makes of it, and what clients saw of that. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PromotionStatus } from '../../controller/api/promotion.ts';
import type { DatabaseSite } from './database-site.ts';
import { type Leaders, nodeAt } from './epochs.ts';
import type { Draw } from './failover-options.ts';
import type { HistoryFile } from './history-file.ts';
import type { Outage } from './outage-meter.ts';
import { type HistoryVerdict, judgeHistory } from './verdict.ts';
import { Workload } from './workload.ts';
import { readEntries } from './writer.ts';

export interface RoundResult extends Draw {
  readonly round: number;
  /** Longest time without an acknowledgement as clients saw it, milliseconds. */
  readonly outageMs: number;
  /** The same as the Promotion has it. */
  readonly reportedMs?: number;
  /** What was found. */
  readonly cause?: string;
  /** Steps of the Promotion and milliseconds from the fault to the end of each. */
  readonly steps?: Readonly<Record<string, number>>;
  /** From the fault until there were as many healthy servers as wanted and the next failover could come. */
  readonly armedAfterMs: number;
  readonly violations: readonly string[];
  /** Of all epochs so far. */
  readonly leaders: Leaders;
  /** Of the whole history so far. */
  readonly verdict: HistoryVerdict;
}

/** What a scenario is given, and what it notes. */
export class Round {
  readonly site: DatabaseSite;
  readonly draw: Draw;
  readonly primary: { readonly server: string; readonly epoch: number };
  readonly record: HistoryFile['record'];
  readonly violations: string[] = [];
  promotion?: PromotionStatus;
  harmedAt = 0;
  /** Whether the Promotion can know the outage as well as clients do. */
  comparable = true;

  constructor(site: DatabaseSite, draw: Draw, primary: Round['primary'], record: HistoryFile['record']) {
    this.site = site;
    this.draw = draw;
    this.primary = primary;
    this.record = record;
  }

  /** Adds a violation unless it holds. */
  expect(holds: boolean, otherwise: string): void {
    if (!holds) this.violations.push(otherwise);
  }
}

/** Resolves when the cluster has answered the fault and clients may stop. */
export type Scenario = (round: Round) => Promise<void>;

/** The lab's load must not decide how far figures may be apart. */
const agreementMs = 500;
const armedTimeoutSeconds = 240;
/** Clients go on for so long after it. */
const afterwardsMs = 2_000;

interface RoundOrder {
  readonly draw: Draw;
  readonly number: number;
  readonly history: HistoryFile;
  /** Of the rounds before. */
  readonly before: Leaders;
}

export async function playRound(
  site: DatabaseSite,
  scenario: Scenario,
  { draw, number, history, before }: RoundOrder,
): Promise<RoundResult> {
  await site.waitArmed(armedTimeoutSeconds);
  const round = new Round(site, draw, await site.primary(), history.record);
  const first = await leaderOf(site);
  const workload = new Workload(site.client, `round-${number}`, history.record);
  await sleep(draw.afterMs);
  round.harmedAt = Date.now();
  let outage: Outage;
  try {
    await scenario(round);
    await sleep(afterwardsMs);
  } catch (error) {
    round.violations.push(error instanceof Error ? error.message : String(error));
  } finally {
    outage = await workload.stop();
    history.flush();
  }
  await site.waitArmed(armedTimeoutSeconds);
  const armedAfterMs = Date.now() - round.harmedAt;
  const leaders = { ...before, ...first, ...(await leaderOf(site)) };
  const verdict = judgeHistory(history.events, await readEntries(site.client), leaders);
  const outageMs = outage.to - outage.from;
  compare(round, outageMs);
  return {
    ...draw,
    round: number,
    outageMs,
    armedAfterMs,
    ...told(round),
    violations: [...round.violations, ...verdict.violations],
    leaders,
    verdict,
  };
}

async function leaderOf(site: DatabaseSite): Promise<Leaders> {
  const { server, epoch } = await site.primary();
  const address = await site.addressOf(server);
  return { [epoch]: nodeAt(address) };
}

function compare({ promotion, comparable, violations }: Round, outageMs: number): void {
  const { writeOutageMilliseconds } = promotion ?? {};
  if (!comparable || writeOutageMilliseconds === undefined) return;
  if (Math.abs(outageMs - writeOutageMilliseconds) < agreementMs) return;
  violations.push(`clients saw ${outageMs} ms without a write, the Promotion ${writeOutageMilliseconds} ms`);
}

function told({ promotion, harmedAt }: Round): Partial<RoundResult> {
  if (promotion === undefined) return {};
  const { writeOutageMilliseconds: reportedMs, cause, steps = [] } = promotion;
  const ended = steps.flatMap(({ name, completionTime }) =>
    completionTime === undefined ? [] : [[name, Date.parse(completionTime) - harmedAt] as const],
  );
  return {
    ...(reportedMs === undefined ? {} : { reportedMs }),
    ...(cause === undefined ? {} : { cause }),
    steps: Object.fromEntries(ended),
  };
}
