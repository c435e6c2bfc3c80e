/** The table of all cells: what clients went without, what was lost, and which targets were missed. */
import type { Result } from './results.ts';
import { summaryOf } from './statistics.ts';
import { targetOf } from './targets.ts';

type Row = Readonly<Record<string, string | number>>;

/** One row per cluster and fault, in the order in which they were first played; times in seconds. */
export function tableOf(results: readonly Result[]): readonly Row[] {
  return [...cellsOf(results).values()].map(rowOf);
}

function cellsOf(results: readonly Result[]): ReadonlyMap<string, readonly Result[]> {
  return Map.groupBy(results, ({ cluster, scenario }) => `${cluster}, ${scenario}`);
}

function rowOf(rounds: readonly Result[]): Row {
  const { cluster, scenario, silenceSeconds } = rounds[0]!;
  const outage = summaryOf(rounds.map(({ outageMs }) => outageMs))!;
  const target = targetOf(scenario, silenceSeconds);
  return {
    cluster,
    fault: scenario,
    rounds: rounds.length,
    'outage p50': seconds(outage.p50),
    p99: seconds(outage.p99),
    worst: seconds(outage.max),
    target: target === undefined ? '-' : `${seconds(target.p50Ms)}/${seconds(target.p99Ms)}`,
    'over p99': target === undefined ? '-' : rounds.filter(({ outageMs }) => outageMs > target.p99Ms).length,
    'reported within': worst(
      rounds.flatMap(({ outageMs, reportedMs }) =>
        reportedMs === undefined ? [] : [Math.abs(outageMs - reportedMs)],
      ),
    ),
    'armed again': worst(rounds.flatMap(({ armedAfterMs }) => armedAfterMs ?? [])),
    lost: sum(rounds, ({ lost }) => lost),
    overlapping: sum(rounds, ({ overlaps }) => overlaps),
    violations: sum(rounds, ({ violations }) => violations.length),
  };
}

/** What is above a target or broke a promise, below the table. */
export function remarksOn(results: readonly Result[]): readonly string[] {
  const commits = [...new Set(results.map(({ commit }) => commit))];
  const broken = results.flatMap(({ cluster, scenario, commit, time, violations, folder }) =>
    violations.map((violation) => `${time} ${commit} ${cluster} ${scenario}: ${violation} (${folder})`),
  );
  return [
    `${results.length} rounds at ${commits.join(', ')}: ${sum(results, ({ acknowledged }) => acknowledged)} writes acknowledged, ` +
      `${sum(results, ({ lost }) => lost)} lost, ${sum(results, ({ unexpected }) => unexpected)} unexpected, ` +
      `${sum(results, ({ overlaps }) => overlaps)} overlapping`,
    ...missed(results),
    ...broken,
  ];
}

function missed(results: readonly Result[]): readonly string[] {
  return [...cellsOf(results)].flatMap(([name, rounds]) => {
    const { scenario, silenceSeconds } = rounds[0]!;
    const target = targetOf(scenario, silenceSeconds);
    const outage = summaryOf(rounds.map(({ outageMs }) => outageMs));
    if (target === undefined || outage === undefined) return [];
    return [
      ...(outage.p50 > target.p50Ms
        ? [`${name}: p50 ${seconds(outage.p50)} s, target ${seconds(target.p50Ms)} s`]
        : []),
      ...(outage.p99 > target.p99Ms
        ? [`${name}: p99 ${seconds(outage.p99)} s, target ${seconds(target.p99Ms)} s`]
        : []),
    ];
  });
}

/** One line as soon as a round has ended, with its violations below. */
export function lineOf(result: Result): string {
  const { scenario, outageMs, reportedMs, armedAfterMs, cause, steps, violations } = result;
  const parts = [
    `  ${scenario}: no write for ${seconds(outageMs)} s`,
    reportedMs === undefined ? '' : `reported ${seconds(reportedMs)} s`,
    cause ?? '',
    armedAfterMs === undefined ? 'never armed again' : `armed again after ${seconds(armedAfterMs)} s`,
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

function sum(results: readonly Result[], count: (result: Result) => number): number {
  return results.reduce((total, one) => total + count(one), 0);
}

function worst(milliseconds: readonly number[]): string {
  return milliseconds.length === 0 ? '-' : seconds(Math.max(...milliseconds));
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
