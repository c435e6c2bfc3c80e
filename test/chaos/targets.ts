/** How long clients may go without a write, fault by fault. */
import { usualSilence } from './database-site.ts';
import type { ScenarioName } from './failover-options.ts';

export interface Target {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The process is gone, and its host says so. */
const processGone: Target = { p50Ms: 1_500, p99Ms: 3_000 };
/** Nobody hears the primary, for so long that it counts. */
const silence: Target = { p50Ms: 3_500, p99Ms: 5_000 };
const silenceOfOneSecond: Target = { p50Ms: 1_500, p99Ms: 3_000 };
const planned: Target = { p50Ms: 300, p99Ms: 1_000 };

/** Faults that are not here have no target: nobody is replaced, or the controller is killed in between. */
const targets: Partial<Readonly<Record<ScenarioName, Target>>> = {
  crash: processGone,
  sigterm: processGone,
  'power-off': silence,
  hang: silence,
  partition: silence,
  'stale-reads': silence,
  'cut-off': silence,
  'cut-off-seen': silence,
  'cut-off-sigterm': silence,
  'cut-off-reboot': silence,
  'cut-off-stop': silence,
  'cut-off-force': silence,
  switchover: planned,
};

/** Undefined where there is none: for some faults, and for other values of `silenceSeconds` than 3 and 1. */
export function targetOf(scenario: ScenarioName, silenceSeconds: number): Target | undefined {
  const target = targets[scenario];
  if (target !== silence || silenceSeconds === usualSilence) return target;
  return silenceSeconds === 1 ? silenceOfOneSecond : undefined;
}
