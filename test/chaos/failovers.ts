/** `make bench-failover`: primaries die on the lab, again and again, under writes; prints what clients saw and what was lost. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSite, type Shape } from './database-site.ts';
import { drawRounds, type Plan, parsePlan, type ScenarioName } from './failover-options.ts';
import { lineOf, type ShapeResult, tableOf, verdictText } from './failover-report.ts';
import {
  death,
  killedInFailover,
  killedInSwitchover,
  staleReads,
  switchover,
  zombie,
} from './failover-rounds.ts';
import { HistoryFile } from './history-file.ts';
import { playRound, type RoundResult, type Scenario } from './round.ts';
import { ackersLost, blind, noConnections, noProof, overload } from './spared-rounds.ts';

const folder = path.resolve(import.meta.dirname, '..', '..', '.lab', 'failovers', startName(new Date()));

interface Bounds {
  readonly plan: Plan;
  /** No round begins after it. */
  readonly deadline: number;
}

interface Playing extends ShapeResult {
  readonly rounds: RoundResult[];
}

function scenarios(): Readonly<Record<ScenarioName, Scenario>> {
  return {
    crash: death('crash'),
    'power-off': death('power-off'),
    hang: death('hang'),
    partition: death('partition'),
    blind,
    'ackers-lost': ackersLost,
    overload,
    'no-connections': noConnections,
    switchover,
    zombie,
    'no-proof': noProof,
    'stale-reads': staleReads,
    'controller-killed': killedInFailover(),
    'switchover-killed': killedInSwitchover(),
  };
}

/** Two replicas are needed for one to be left over. */
function fits({ scenario }: { readonly scenario: ScenarioName }, { replicas }: Shape): boolean {
  return scenario !== 'no-proof' || replicas > 1;
}

/** Adds to `rounds` as they end: what was seen before a failure counts. */
async function playShape({ plan, deadline }: Bounds, { shape, rounds }: Playing): Promise<void> {
  const name = nameOf(shape);
  const history = new HistoryFile(path.join(folder, `${name}.jsonl`));
  console.log(`${name}: bringing the cluster up`);
  const site = await DatabaseSite.open(shape);
  const play = scenarios();
  try {
    for (const [index, draw] of drawRounds(plan)
      .filter((one) => fits(one, shape))
      .entries()) {
      if (Date.now() > deadline) {
        console.log(`  time is over after ${index} rounds`);
        break;
      }
      const before = rounds.at(-1)?.leaders ?? {};
      const order = { draw, number: index + 1, history, before };
      const result = await playRound(site, play[draw.scenario], order);
      rounds.push(result);
      console.log(lineOf(result));
      appendFileSync(path.join(folder, `${name}-rounds.jsonl`), `${JSON.stringify(result)}\n`);
    }
  } finally {
    history.flush();
    await keepTraces(site, name);
    await site.close();
  }
}

/** What a person would ask for first when a round went wrong. */
async function keepTraces({ installation, story }: DatabaseSite, name: string): Promise<void> {
  writeFileSync(path.join(folder, `${name}-controller.log`), installation.controllerLog());
  const objects = await story.kubectl('get', 'rlm,rlp,rlsrv,events', '--output=yaml');
  writeFileSync(path.join(folder, `${name}-objects.yaml`), objects);
}

/** Also when one cluster fails, the others are played. */
async function playAll(plan: Plan): Promise<readonly string[]> {
  const deadline = Date.now() + plan.minutes * 60_000;
  const results = plan.shapes.map((shape) => ({ shape, rounds: new Array<RoundResult>() }));
  const broken: string[] = [];
  for (const result of results) {
    try {
      await playShape({ plan, deadline }, result);
    } catch (error) {
      console.error(error);
      broken.push(`${nameOf(result.shape)} could not be played to its end`);
    }
  }
  console.table(tableOf(results));
  for (const result of results) console.log(verdictText(result));
  return [...broken, ...results.flatMap(({ rounds }) => rounds.flatMap(({ violations }) => violations))];
}

function nameOf({ flavor, replicas }: Shape): string {
  return `${flavor}-1+${replicas}`;
}

/** `20261123-041500` */
function startName(at: Date): string {
  return at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

mkdirSync(folder, { recursive: true });
const plan = parsePlan(process.argv.slice(2));
console.log(`Seed ${plan.seed}; histories and logs are kept in ${folder}`);
const wrong = await playAll(plan);
console.log(wrong.length === 0 ? 'No violation.' : `${wrong.length} violations; first: ${wrong[0]}`);
console.log(
  `Again: make bench-failover args='${process.argv.slice(2).join(' ')}' with --seed ${plan.seed} (same order and moments; machines differ)`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
