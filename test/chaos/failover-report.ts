/** The table of all cells: what clients went without, and that nothing was lost. */
import type { Shape } from './database-site.ts';
import { scenarioNames } from './failover-options.ts';
import type { RoundResult } from './round.ts';
import { summaryOf } from './statistics.ts';

export interface ShapeResult {
  readonly shape: Shape;
  readonly rounds: readonly RoundResult[];
}

/** One row per cluster and fault; times in seconds. */
export function tableOf(
  results: readonly ShapeResult[],
): readonly Readonly<Record<string, string | number>>[] {
  return results.flatMap(({ shape, rounds }) =>
    scenarioNames.flatMap((scenario) => {
      const own = rounds.filter((round) => round.scenario === scenario);
      return own.length === 0 ? [] : [rowOf(shape, own)];
    }),
  );
}

function rowOf({ flavor, replicas }: Shape, rounds: readonly RoundResult[]) {
  const outage = summaryOf(rounds.map(({ outageMs }) => outageMs))!;
  const armed = summaryOf(rounds.map(({ armedAfterMs }) => armedAfterMs))!;
  const apart = rounds.flatMap(({ outageMs, reportedMs }) =>
    reportedMs === undefined ? [] : [Math.abs(outageMs - reportedMs)],
  );
  return {
    cluster: `${flavor} 1+${replicas}`,
    fault: rounds[0]?.scenario ?? '',
    rounds: rounds.length,
    'outage p50': seconds(outage.p50),
    p99: seconds(outage.p99),
    max: seconds(outage.max),
    'reported within': apart.length === 0 ? '-' : seconds(Math.max(...apart)),
    'armed again p50': seconds(armed.p50),
    'armed again max': seconds(armed.max),
    violations: rounds.reduce((sum, { violations }) => sum + violations.length, 0),
  };
}

/** What the checkers found in the whole history of a cluster. */
export function verdictText({ shape: { flavor, replicas }, rounds }: ShapeResult): string {
  const verdict = rounds.at(-1)?.verdict;
  if (verdict === undefined) return `${flavor} 1+${replicas}: no round`;
  const { acknowledged, lost, unexpected, overlaps } = verdict;
  return `${flavor} 1+${replicas}: ${acknowledged} writes acknowledged, ${lost} lost, ${unexpected} unexpected, ${overlaps} overlapping`;
}

/** One line as soon as a round has ended, with its violations below. */
export function lineOf({ round, scenario, ...result }: RoundResult): string {
  const { outageMs, reportedMs, armedAfterMs, cause, steps, violations } = result;
  const parts = [
    `  ${round} ${scenario}: no write for ${seconds(outageMs)} s`,
    reportedMs === undefined ? '' : `reported ${seconds(reportedMs)} s`,
    cause ?? '',
    `armed again after ${seconds(armedAfterMs)} s`,
    steps === undefined ? '' : stepsText(steps),
  ];
  const line = parts.filter((part) => part !== '').join(', ');
  return [line, ...violations.map((violation) => `    VIOLATION ${violation}`)].join('\n');
}

function stepsText(steps: Readonly<Record<string, number>>): string {
  return Object.entries(steps)
    .map(([name, ms]) => `${name} ${seconds(ms)}`)
    .join(' ');
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
