/** One round under load: a fault, what the cluster makes of it, and what clients saw of that. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PromotionStatus } from '../../controller/api/promotion.ts';
import type { DatabaseSite } from './database-site.ts';
import { type Leaders, nodeAt } from './epochs.ts';
import type { Draw } from './failover-options.ts';
import type { HistoryFile } from './history-file.ts';
import type { Outage } from './outage-meter.ts';
import type { Result } from './results.ts';
import { type HistoryVerdict, judgeHistory } from './verdict.ts';
import { Workload } from './workload.ts';
import { readEntries } from './writer.ts';

/** What a round came to, without what is the same for all rounds of a run. */
export interface RoundResult
  extends Omit<Result, 'cluster' | 'silenceSeconds' | 'commit' | 'time' | 'seed' | 'folder'> {
  /** Of all epochs so far. */
  readonly leaders: Leaders;
  /** Of the whole history so far. */
  readonly verdict: HistoryVerdict;
  /** A failover of this history has said that writes may be lost, as the spec allows. */
  readonly isLossAccepted: boolean;
}

/** What a scenario is given, and what it notes. */
export class Round {
  readonly site: DatabaseSite;
  readonly draw: Draw;
  /** Who leads when the fault begins. */
  primary: { readonly server: string; readonly epoch: number };
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
  /** Of the same history. */
  readonly before: RoundResult | undefined;
}

/** Rejects when the cluster was not well to begin with. */
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
    round.violations.push(wordsOf(error));
  } finally {
    outage = await workload.stop();
    history.flush();
  }
  const armedAfterMs = await untilArmed(round);
  const leaders = { ...before?.leaders, ...first, ...(await leaderOf(site)) };
  const isLossAccepted = before?.isLossAccepted === true || hasAcceptedLoss(round);
  const outageMs = outage.to - outage.from;
  compare(round, outageMs);
  const known = before?.verdict ?? { acknowledged: 0, lost: 0, unexpected: 0, overlaps: 0, violations: [] };
  const entries = await readEntries(site.client).catch((error) => wordsOf(error));
  if (typeof entries === 'string') round.violations.push(`nobody can tell what is lost: ${entries}`);
  const verdict =
    typeof entries === 'string' ? known : judgeHistory(history.events, entries, leaders, isLossAccepted);
  const news = verdict.violations.filter((violation) => !known.violations.includes(violation));
  return {
    ...draw,
    outageMs,
    ...(armedAfterMs === undefined ? {} : { armedAfterMs }),
    ...told(round),
    acknowledged: verdict.acknowledged - known.acknowledged,
    lost: verdict.lost - known.lost,
    unexpected: verdict.unexpected - known.unexpected,
    overlaps: verdict.overlaps - known.overlaps,
    violations: [...round.violations, ...news],
    leaders,
    verdict,
    isLossAccepted,
  };
}

function hasAcceptedLoss({ promotion, site }: Round): boolean {
  return (
    site.shape.dataLoss === 'Accept' && promotion?.dataLoss !== undefined && promotion.dataLoss !== 'None'
  );
}

/** Milliseconds from the fault; undefined, and a violation, when it takes too long. */
async function untilArmed(round: Round): Promise<number | undefined> {
  try {
    await round.site.waitArmed(armedTimeoutSeconds);
    return Date.now() - round.harmedAt;
  } catch (error) {
    round.violations.push(wordsOf(error));
    return undefined;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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

function told({ promotion, harmedAt }: Round): Pick<Result, 'reportedMs' | 'cause' | 'steps'> {
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
