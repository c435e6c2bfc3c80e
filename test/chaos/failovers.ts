/** `make bench-failover`: primaries die on the lab, again and again, under writes; prints what clients saw and what was lost. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { clusterName, DatabaseSite, type Shape, usualSilence } from './database-site.ts';
import {
  type Draw,
  drawRounds,
  helpText,
  type Plan,
  parseOrder,
  remaining,
  type ScenarioName,
} from './failover-options.ts';
import { lineOf, remarksOn, tableOf } from './failover-report.ts';
import { HistoryFile } from './history-file.ts';
import { addResult, commitOf, countPlayed, type Result, readResults } from './results.ts';
import { playRound, type RoundResult, type Scenario } from './round.ts';
import { scenarios } from './scenarios.ts';

const started = new Date();
const folder = path.resolve(import.meta.dirname, '..', '..', '.lab', 'failovers', startName(started));

interface Bench {
  readonly plan: Plan;
  readonly play: Readonly<Record<ScenarioName, Scenario>>;
  readonly file: string;
  readonly commit: string;
  /** No round begins after it. */
  readonly deadline: number;
}

/** Two replicas are needed for one to be left over. */
function fits({ scenario }: { readonly scenario: ScenarioName }, { replicas }: Shape): boolean {
  return scenario !== 'no-proof' || replicas > 1;
}

/** Plays what is left for one cluster; one that is not well after a round makes room for another. */
async function playShape(bench: Bench, shape: Shape): Promise<void> {
  const { plan, file, deadline } = bench;
  const cluster = clusterName(shape);
  const results = readResults(file);
  const draws = drawRounds(plan).filter((one) => fits(one, shape));
  let left = remaining(draws, (scenario) => countPlayed(results, cluster, scenario));
  for (let site = 1; left.length > 0; site += 1) {
    if (Date.now() > deadline) {
      console.log(`${cluster}: time is over, ${left.length} rounds are left`);
      return;
    }
    const played = await playCluster(bench, shape, { left, name: `${cluster}-${site}`.replaceAll(' ', '-') });
    // Nothing can be said about a cluster that is never well.
    if (played === 0) throw new Error(`${cluster} was not well before its first round`);
    left = left.slice(played);
  }
}

interface Sitting {
  readonly left: readonly Draw[];
  /** Of its files. */
  readonly name: string;
}

/** Plays rounds on one cluster until they or the time are over, or it is not well; how many. */
async function playCluster(bench: Bench, shape: Shape, { left, name }: Sitting): Promise<number> {
  const history = new HistoryFile(path.join(folder, `${name}.jsonl`));
  console.log(`${name}: bringing the cluster up`);
  const site = await DatabaseSite.open(shape);
  let before: RoundResult | undefined;
  let played = 0;
  try {
    for (const draw of left) {
      if (Date.now() > bench.deadline) break;
      before = await playRound(site, bench.play[draw.scenario], {
        draw,
        number: played + 1,
        history,
        before,
      });
      played += 1;
      const result = resultOf(bench, shape, before);
      addResult(bench.file, result);
      console.log(lineOf(result));
      if (before.armedAfterMs === undefined) break;
    }
  } finally {
    history.flush();
    await keepTraces(site, name);
    await site.close();
  }
  return played;
}

function resultOf({ plan, commit }: Bench, shape: Shape, round: RoundResult): Result {
  const { leaders: _leaders, verdict: _verdict, isLossAccepted: _isLossAccepted, ...rest } = round;
  const time = new Date().toISOString();
  const { silenceSeconds = usualSilence } = shape;
  return { cluster: clusterName(shape), silenceSeconds, commit, time, seed: plan.seed, folder, ...rest };
}

/** What a person would ask for first when a round went wrong. */
async function keepTraces({ installation, story }: DatabaseSite, name: string): Promise<void> {
  writeFileSync(path.join(folder, `${name}-controller.log`), installation.controllerLog());
  const objects = await story.kubectl('get', 'rlm,rlp,rlsrv,events', '--output=yaml');
  writeFileSync(path.join(folder, `${name}-objects.yaml`), objects);
}

/** Also when one cluster fails, the others are played. What went wrong, in words. */
async function playAll(plan: Plan): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  console.log(`Seed ${plan.seed}; histories and logs are kept in ${folder}`);
  const file = path.resolve(plan.results ?? path.join(folder, 'results.jsonl'));
  const commit = commitOf(import.meta.dirname);
  const deadline = started.getTime() + plan.minutes * 60_000;
  const bench: Bench = { plan, play: scenarios(), file, commit, deadline };
  const broken: string[] = [];
  for (const shape of plan.shapes) {
    try {
      await playShape(bench, shape);
    } catch (error) {
      console.error(error);
      broken.push(`${clusterName(shape)} could not be played to its end`);
    }
  }
  const all = readResults(file);
  report(all);
  const own = all.filter(({ time }) => Date.parse(time) >= started.getTime());
  return [...broken, ...own.flatMap(({ violations }) => violations)];
}

function report(results: readonly Result[]): void {
  console.table(tableOf(results));
  for (const line of remarksOn(results)) console.log(line);
}

/** `20261123-041500` */
function startName(at: Date): string {
  return at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

async function play(plan: Plan): Promise<void> {
  const wrong = await playAll(plan);
  console.log(wrong.length === 0 ? 'No violation.' : `${wrong.length} violations; first: ${wrong[0]}`);
  console.log(
    `Again: make bench-failover args='${process.argv.slice(2).join(' ')}' with --seed ${plan.seed} (same order and moments; machines differ)`,
  );
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

const order = parseOrder(process.argv.slice(2));
if (order.kind === 'help') console.log(helpText);
else if (order.kind === 'report') report(readResults(order.file));
else await play(order.plan);
