/** Runs scripts on servers: boot and decommission steps, operations, or any Script. */

import type { Accounts } from '../../accounts/port.ts';
import { hasCondition } from '../../api/conditions.ts';
import { keyOf, type ObjectKey } from '../../api/meta.ts';
import { type ScriptRun, type ScriptRunStatus, scriptRunKind } from '../../api/script-run.ts';
import { serverKind } from '../../api/server.ts';
import { type Instant, timestamp } from '../../base/clock.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { Shell } from '../../shell/port.ts';
import { act, forgetJob } from './act.ts';
import type { ActPorts } from './action.ts';
import { decide, type Plan } from './decide/index.ts';
import { isFinal, isOut, queueResults, type Result } from './decide/record.ts';
import { inputProblems } from './job.ts';
import { byMark, writeMarks } from './marks.ts';
import { JobMemory } from './memory.ts';
import { type Observation, observe } from './observe.ts';
import { findPlace } from './place.ts';
import { operationText, refusedStatus, serversText, statusOf } from './status.ts';
import { surplusOf } from './surplus.ts';
import { selectServers, type TargetRefusal, targetText } from './targets.ts';
import { Turns } from './turns.ts';

export interface ScriptRunPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly failpoints: Failpoints;
}

interface Ports extends ScriptRunPorts, ActPorts {
  readonly turns: Turns;
}

/** How soon a run that cannot begin yet is looked at again. */
const waitingPeriod = 1_000;

/** Holds secrets of running jobs and turns in memory, both of which may be lost. */
export function createScriptRunController(ports: ScriptRunPorts): KindController {
  const own: Ports = { ...ports, memory: new JobMemory(), turns: new Turns() };
  return {
    name: 'script-run',
    resource: scriptRunKind,
    // A pass waits for hosts, not for the processor; one that does not answer may hold its worker for seconds.
    workers: 64,
    watches: [{ resource: serverKind, wakes: byMark }],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const run = ports.cache.get(scriptRunKind, key);
  if (run === undefined || run.metadata.deletionTimestamp !== undefined) {
    await writeMarks(ports, key, undefined);
    return {};
  }
  if (hasCondition(run.status, 'Finished')) return cleanUp(ports, run, context.now);
  return run.status?.results === undefined ? open(ports, run, context) : advanceRun(ports, run, context);
}

/** Puts back what a crash has left out of service, and deletes a finished run when its time is over. */
async function cleanUp(ports: Ports, run: ScriptRun, now: Instant): Promise<ReconcileResult> {
  if (run.spec.drain) await writeMarks(ports, keyOf(run), undefined);
  for (const old of surplusOf(ports.cache, run)) await ports.kube.delete(scriptRunKind, old);
  const { ttlSecondsAfterFinished } = run.spec;
  if (ttlSecondsAfterFinished === undefined) return {};
  const left = Date.parse(run.status?.completionTime ?? '') + ttlSecondsAfterFinished * 1000 - now;
  if (left > 0) return { after: left };
  await ports.kube.delete(scriptRunKind, run);
  return {};
}

/** Puts the servers on record before anything is done to them. */
async function open(ports: Ports, run: ScriptRun, { now }: ReconcileContext): Promise<ReconcileResult> {
  const opening = await prepareRun(ports, run, now);
  if ('reason' in opening) {
    const status = refusedStatus(run, opening, now);
    await ports.kube.writeStatus(scriptRunKind, run, status);
    if (opening.final) ports.events.warning(run, 'RunFailed', opening.message);
    return { after: waitingPeriod };
  }
  const begun: ScriptRun = { ...run, status: opening };
  await ports.kube.writeStatus(scriptRunKind, run, statusOf(begun, opening.results ?? [], now));
  ports.events.normal(
    run,
    'RunStarted',
    `${operationText(run)} on ${serversText(opening.results?.length ?? 0)}.`,
  );
  return { after: 0 };
}

/** The first status of the run, or why it may not begin. Inputs are checked on the first server that can run it. */
async function prepareRun(
  ports: Ports,
  run: ScriptRun,
  now: Instant,
): Promise<ScriptRunStatus | TargetRefusal> {
  const all = ports.cache.list(serverKind, { namespace: run.metadata.namespace ?? '' });
  const selection = selectServers(run, all, now);
  if ('reason' in selection) return selection;
  const busy = ports.turns.take(ports.cache, run);
  if (busy !== undefined) return busy;
  let refusal: TargetRefusal | undefined;
  for (const server of selection.servers) {
    const place = await findPlace(ports, run, server.metadata.name);
    if ('reason' in place) {
      refusal ??= place;
      continue;
    }
    const problem = (await inputProblems(ports, run, place)).find((candidate) => !candidate.waiting);
    if (problem !== undefined) {
      return { reason: 'RequiredInputMissing', message: problem.message, final: true };
    }
    const [only, ...more] = place.steps;
    return {
      operation: operationText(run),
      target: targetText(run),
      startTime: timestamp(now),
      ...(only !== undefined && more.length === 0 ? { scriptSHA256: only.script.sha256 } : {}),
      results: [...queueResults(selection.servers.map((one) => one.metadata.name))],
    };
  }
  const isOld = now - Date.parse(run.metadata.creationTimestamp) > 10 * waitingPeriod;
  return { ...(refusal as TargetRefusal), final: refusal?.final === true || isOld };
}

async function advanceRun(ports: Ports, run: ScriptRun, context: ReconcileContext): Promise<ReconcileResult> {
  const { now, log } = context;
  const observed = await observe(ports, run, now);
  const plan = decide(observed);
  const before = run.status?.results ?? [];
  const results = await Promise.all(
    plan.moves.map((move, at) => {
      const site = observed.sites.get(move.after.server);
      return act(ports, { run, move, site, now, before: before[at] ?? move.after });
    }),
  );
  const status = statusOf(run, results, now);
  const written = await ports.kube.writeStatus(scriptRunKind, run, status);
  if (plan.moves.some((move) => move.do === 'collect')) ports.failpoints.hit('boot.after-step-recorded');
  for (const move of plan.moves) {
    if (move.do !== 'nothing') log.info({ server: move.after.server, do: move.do }, 'worked on a script run');
  }
  announce(ports.events, run, status);
  if (run.spec.drain) {
    if (results.some(isOut)) ports.failpoints.hit('operation.after-drain-recorded');
    await writeMarks(ports, keyOf(run), written);
  }
  await removeMarks(ports, run, observed, results);
  return afterPass(run, plan, results, status);
}

/** Jobs of servers that have just finished are removed from their hosts. */
async function removeMarks(
  ports: Ports,
  run: ScriptRun,
  observed: Observation,
  results: readonly Result[],
): Promise<void> {
  const before = new Map((run.status?.results ?? []).map((result) => [result.server, result]));
  const ended = results.filter((result) => {
    const old = before.get(result.server);
    return isFinal(result) && old !== undefined && !isFinal(old);
  });
  await Promise.all(
    ended.map(async (result) => {
      const place = observed.sites.get(result.server)?.place;
      if (place !== undefined && 'host' in place) await forgetJob(ports, result, place);
    }),
  );
}

function afterPass(
  run: ScriptRun,
  plan: Plan,
  results: readonly Result[],
  status: ScriptRunStatus,
): ReconcileResult {
  if (status.completionTime === undefined) {
    // A server that ended in this pass may have made room for the next one.
    const hasRoom = results.filter((result) => result.state === 'Running').length < run.spec.parallelism;
    const waits = results.some((result) => result.state === 'Queued' && result.message === undefined);
    return { after: hasRoom && waits ? 0 : (plan.recheckAfter ?? 0) };
  }
  const { ttlSecondsAfterFinished } = run.spec;
  return ttlSecondsAfterFinished === undefined ? {} : { after: ttlSecondsAfterFinished * 1000 };
}

/** Tells once how it ended; the message is that of the condition. */
function announce(events: Events, run: ScriptRun, status: ScriptRunStatus): void {
  const succeeded = status.conditions?.find((condition) => condition.type === 'Succeeded');
  if (status.completionTime === undefined || succeeded === undefined) return;
  const { reason, message } = succeeded;
  if (reason === 'Completed') events.normal(run, 'RunCompleted', message);
  else if (reason === 'Canceled') events.warning(run, 'RunCanceled', message);
  else if (reason === 'Interrupted') events.warning(run, 'RunInterrupted', message);
  else events.warning(run, 'RunFailed', message);
}
