/** Carries out one move on one server; every one of them may be repeated after a crash. */
import { timestamp } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Action, ActPorts } from './action.ts';
import { type CarriedLog, carryLog } from './carry-log.ts';
import type { Move } from './decide/facts.ts';
import { endStep, type Result, replaceStep, withMessage, withoutMessage } from './decide/record.ts';
import { makeJob } from './job.ts';
import type { Place } from './place.ts';

/** The result to record. A host, a store or an input that fails does not throw: that is what results are for. */
export async function act(ports: ActPorts, action: Action): Promise<Result> {
  const { move, site } = action;
  if (site === undefined || !('host' in site.place)) return move.after;
  if (move.do === 'start') return start(ports, action, move, site.place);
  if (move.do === 'cancel') return cancelJob(ports, move, site.place);
  if (move.do === 'collect') return collectResult(ports, action, site.place);
  return site.isLogDue ? streamLog(ports, action, site.place) : move.after;
}

async function start(
  ports: ActPorts,
  { run, now }: Action,
  move: Move & { readonly do: 'start' },
  place: Place,
): Promise<Result> {
  const { after, jobID, timeoutSeconds } = move;
  const step = after.steps?.at(-1);
  const script = place.steps[move.step]?.script;
  if (step === undefined || script === undefined) return after;
  const made = await makeJob(ports, run, place, { jobID, script, timeoutSeconds });
  if ('problems' in made) {
    const message = [...new Set(made.problems.map((problem) => problem.message))].join(' ');
    const mayWait = made.problems.every((problem) => problem.waiting);
    return mayWait ? withMessage(after, message) : endStep(after, { state: 'Failed', message }, now);
  }
  ports.memory.rememberSecrets(jobID, made.secrets);
  ports.failpoints.hit('boot.before-job-started');
  const error = await failureOf(ports.shell.startJob(place.host, made.job));
  if (error !== undefined) {
    const message = `${error.message} [${error.code}]`;
    return error.retry === 'never'
      ? endStep(after, { state: 'Unreachable', message }, now)
      : withMessage(after, message);
  }
  ports.failpoints.hit('boot.after-job-started');
  const { secretsVersion } = made;
  const accepted = { ...step, secretsVersion, state: 'Running' as const, startTime: timestamp(now) };
  return replaceStep(withoutMessage(after), accepted);
}

/** A host that does not answer is asked again in the next pass, until its time is up. */
async function cancelJob(
  ports: ActPorts,
  move: Move & { readonly do: 'cancel' },
  place: Place,
): Promise<Result> {
  await failureOf(ports.shell.cancelJob(place.host, move.jobID));
  return move.after;
}

async function collectResult(ports: ActPorts, action: Action, place: Place): Promise<Result> {
  ports.failpoints.hit('boot.after-job-finished');
  const log = await carryLog(ports, action, place, { isLive: false });
  if (log === undefined) return action.move.after;
  ports.failpoints.hit('boot.after-log-stored');
  return { ...withLog(action, log), logBytes: log.bytes };
}

/** While the job runs: what there is so far, for people who watch. The record still says where this part begins. */
async function streamLog(ports: ActPorts, action: Action, place: Place): Promise<Result> {
  const log = await carryLog(ports, action, place, { isLive: true });
  return log === undefined ? action.move.after : withLog(action, log);
}

function withLog({ move }: Action, { tail, url }: CarriedLog): Result {
  return { ...move.after, logTail: tail, ...(url === undefined ? {} : { logURL: url }) };
}

/** Removes what a server that has finished keeps of this run; what cannot be reached stays there and does no harm. */
export async function forgetJob(ports: ActPorts, result: Result, place: Place): Promise<void> {
  for (const jobID of jobsOf(result)) {
    ports.memory.forget(jobID);
    if ((await failureOf(ports.shell.forgetJob(place.host, jobID))) !== undefined) return;
  }
}

/** Every attempt of every step. */
function jobsOf(result: Result): readonly string[] {
  return (result.steps ?? []).flatMap(({ jobID = '', attempt }) => {
    const prefix = jobID.slice(0, jobID.lastIndexOf('-'));
    return Array.from({ length: attempt }, (_, before) => `${prefix}-${before + 1}`);
  });
}

async function failureOf(call: Promise<void>): Promise<AppError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}
