/** The file in which a long bench keeps what its rounds came to, a line each, so that it can go on another time. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { type ScenarioName, scenarioNames } from './failover-options.ts';

const result = z.object({
  /** Which cluster, as `clusterName` says it. */
  cluster: z.string(),
  scenario: z.enum(scenarioNames),
  silenceSeconds: z.number().default(3),
  /** What was tested; `+` when files had been changed since. */
  commit: z.string(),
  /** When the round ended. */
  time: z.string(),
  seed: z.number(),
  afterMs: z.number(),
  /** Longest time without an acknowledgement as clients saw it. */
  outageMs: z.number(),
  /** The same as the Promotion has it. */
  reportedMs: z.number().exactOptional(),
  /** What was found. */
  cause: z.string().exactOptional(),
  /** Until as many servers as wanted were well and the next failover could come; missing when they never were. */
  armedAfterMs: z.number().exactOptional(),
  /** Steps of the Promotion and milliseconds from the fault to the end of each. */
  steps: z.record(z.string(), z.number()).exactOptional(),
  acknowledged: z.number(),
  lost: z.number(),
  unexpected: z.number(),
  overlaps: z.number(),
  violations: z.array(z.string()),
  /** Where histories, logs and objects of it are. */
  folder: z.string(),
});

export type Result = z.infer<typeof result>;

/** All rounds in the file; none when there is no file. Throws when a line is no result. */
export function readResults(file: string): readonly Result[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => result.parse(JSON.parse(line)));
}

export function addResult(file: string, one: Result): void {
  appendFileSync(file, `${JSON.stringify(one)}\n`);
}

/** How many rounds of a fault a cluster has in the results. */
export function countPlayed(results: readonly Result[], cluster: string, scenario: ScenarioName): number {
  return results.filter((one) => one.cluster === cluster && one.scenario === scenario).length;
}

/** The commit that is checked out in this folder, with `+` when tracked files differ from it. */
export function commitOf(folder: string): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? '+' : ''}`;
}
