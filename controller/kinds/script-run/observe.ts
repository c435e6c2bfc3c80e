/** Reads what a run depends on: its servers, their scripts, and what the hosts say about the jobs. */

import { saysItGoes } from '../../api/ownership.ts';
import type { ScriptRun } from '../../api/script-run.ts';
import { serverKind } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Cache } from '../../kube/port.ts';
import type { Shell } from '../../shell/port.ts';
import type { Look, Observed, TargetFacts } from './decide/facts.ts';
import type { Result } from './decide/record.ts';
import type { JobMemory } from './memory.ts';
import { findPlace, jobPrefix, type NoPlace, type Place, type PlacePorts } from './place.ts';
import { serviceOf } from './service.ts';

export interface ObservePorts extends PlacePorts {
  readonly shell: Shell;
  readonly memory: JobMemory;
}

/** One server of the run with all that is needed to act there. */
export interface RunPass {
  readonly place: Place | NoPlace;
  readonly look?: Look;
  readonly isLogDue: boolean;
}

export interface Observation extends Observed {
  /** By server name. */
  readonly sites: ReadonlyMap<string, RunPass>;
}

/** Looks at the servers that are under way and at those that may begin in this pass. */
export async function observe(ports: ObservePorts, run: ScriptRun, now: Instant): Promise<Observation> {
  const results = run.status?.results ?? [];
  const active = results.filter((result) => result.state === 'Running');
  const next = results.filter((result) => result.state === 'Queued').slice(0, run.spec.parallelism);
  const looked = [...active, ...next].map(
    async (result): Promise<readonly [string, RunPass]> => [
      result.server,
      await lookAt(ports, run, result, now),
    ],
  );
  const sites = new Map(await Promise.all(looked));
  const targets = [...sites].map(([server, site]) => ({
    ...factsOf(run, server, site),
    ...standingOf(ports.cache, run, server),
  }));
  return { now, run, targets, sites };
}

async function lookAt(ports: ObservePorts, run: ScriptRun, result: Result, now: Instant): Promise<RunPass> {
  const place = await findPlace(ports, run, result.server);
  const jobID = result.steps?.at(-1)?.jobID;
  if (jobID === undefined || !mayHaveJob(run, result)) return { place, isLogDue: false };
  if (!('host' in place))
    return { place, isLogDue: false, look: unreachableLook(place.message, place.final) };
  try {
    const look = await ports.shell.pollJob(place.host, jobID);
    const isLogDue = look.state === 'running' && ports.memory.isLogDue(jobID, look.logBytes, now);
    return { place, look, isLogDue };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const look = unreachableLook(`${error.message} [${error.code}]`, error.retry === 'never');
    return { place, look, isLogDue: false };
  }
}

/** Before an attempt is acknowledged there is nothing to ask for, unless it may have to be stopped. */
function mayHaveJob(run: ScriptRun, result: Result): boolean {
  const isAccepted = result.steps?.at(-1)?.state === 'Running';
  return result.state === 'Running' && (isAccepted || run.spec.cancel || run.spec.phase === 'Decommission');
}

function unreachableLook(message: string, final: boolean): Look {
  return { state: 'unreachable', final, message };
}

/** Whether it stays, and how it stands with its load balancers. */
function standingOf(cache: Cache, run: ScriptRun, name: string): Pick<TargetFacts, 'isGone' | 'service'> {
  const server = cache.get(serverKind, { namespace: run.metadata.namespace ?? '', name });
  const isGone = server === undefined || saysItGoes(server);
  return run.spec.drain ? { isGone, service: serviceOf(cache, run, server) } : { isGone };
}

function factsOf(run: ScriptRun, server: string, { place, look }: RunPass): Omit<TargetFacts, 'isGone'> {
  const common = { server, jobPrefix: jobPrefix(run, server), ...(look === undefined ? {} : { look }) };
  if (!('host' in place)) {
    const { instanceID, message, final } = place;
    return { ...common, instanceID, problem: { message, final }, steps: [] };
  }
  const steps = place.steps.map(({ name, script }) => {
    const { timeoutSeconds, retries, onInterruption } = script;
    return { name, script: script.name, timeoutSeconds, retries, onInterruption };
  });
  return { ...common, instanceID: place.server.status?.instanceID, steps };
}
