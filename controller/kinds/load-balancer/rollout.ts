/**
 * A new structure goes to one front end first; the others follow when it was seen to serve there, ten at a time. What is
 * decided in one pass is recorded in status before the next acts upon it.
 */
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { annotations } from '../../api/meta.ts';
import type { Report } from '../../balancer/fleet.ts';
import { type Instant, type Millis, timestamp } from '../../base/clock.ts';
import type { Frontend, Observed } from './observed.ts';
import { type SeenFrontend, silenceLimit, type View } from './view.ts';
import type { TrialFacts, TrialVerdict, Watches } from './watch.ts';

export interface Rollout {
  /** Under way, or stopped. */
  readonly current: NonNullable<LoadBalancer['status']>['rollout'];
  /** Structures that may go everywhere at once, newest first. */
  readonly proven: readonly string[];
}

/** So many front ends are changed at a time. */
const batchSize = 10;
/** Going back to one of these, or on to it again, needs no new trial. */
const remembered = 5;
/** A front end that has not shown by then that it serves will not. */
const deadline: Millis = 30_000;

/** Names of the front ends whose structure may be changed in this pass. */
export function allowedFrontends(
  { balancer, frontends, problem, hash }: Observed,
  reportOf: (frontend: Frontend) => Report | undefined,
): ReadonlySet<string> {
  const { rollout } = balancer.status ?? {};
  if (problem !== undefined || hash === undefined) return new Set();
  if (!provenIn(balancer).includes(hash)) {
    const isTrial = rollout?.configHash === hash && rollout.stopMessage === undefined;
    return new Set(isTrial ? [rollout.canary] : []);
  }
  const behind = frontends.filter((frontend) => {
    const report = reportOf(frontend);
    return report?.silentSince === undefined && report?.observation?.running?.base !== hash;
  });
  // Where it fails once it is not tried on others.
  const failing = behind.filter((frontend) => reportOf(frontend)?.trouble?.kind === 'rejected');
  const batch = failing.length > 0 ? failing : behind.slice(0, batchSize);
  const current = frontends.filter((frontend) => !behind.includes(frontend));
  return new Set([...current, ...batch].map(({ server }) => server.metadata.name));
}

/** What is to be recorded after a pass. */
export function nextRollout(observed: Observed, view: View, watches: Watches): Rollout {
  const { balancer, now } = observed;
  const { hash } = view;
  const [before, proven] = [balancer.status?.rollout, provenIn(balancer)];
  const isIdle = balancer.spec.suspend || observed.problem !== undefined;
  if (hash === undefined || isIdle) return { current: before, proven };
  const isProven = { current: undefined, proven: rememberProven(hash, proven) };
  if (proven.includes(hash)) return isProven;
  const next =
    before?.configHash !== hash || isLost(before, view, now)
      ? beginTrial(observed, view, hash)
      : goOn(before, { observed, view, watches });
  return next === 'proven' ? isProven : { current: next ?? before, proven };
}

/** Undefined while there is nobody to begin with. */
function beginTrial(observed: Observed, view: View, hash: string): Trial | 'proven' | undefined {
  const canary = chooseCanary(observed, view, hash);
  if (canary === 'nobody to protect') return 'proven';
  return (
    canary && {
      configHash: hash,
      canary: canary.server.metadata.name,
      startTime: timestamp(observed.now),
    }
  );
}

function goOn(trial: Trial, trialled: Trialled): Trial | 'proven' {
  const { observed, view, watches } = trialled;
  const { balancer, now } = observed;
  const { stopMessage, ...fresh } = { ...trial, startTime: timestamp(now) };
  if (stopMessage !== undefined) return wasAskedAgain(balancer) ? fresh : trial;
  // HAProxy's own refusal is told as such, and tried again.
  if (canaryOf(trial, view)?.report.trouble !== undefined) return isLate(trial, now) ? fresh : trial;
  const verdict = verdictOn(trial, trialled);
  if (verdict.is === 'waiting') return trial;
  watches.forget(balancer.metadata.uid);
  return verdict.is === 'good' ? 'proven' : { ...trial, stopMessage: verdict.message };
}

function provenIn({ status }: LoadBalancer): readonly string[] {
  return status?.provenConfigHashes ?? [];
}

function rememberProven(hash: string, proven: readonly string[]): readonly string[] {
  if (proven[0] === hash) return proven;
  return [hash, ...proven.filter((one) => one !== hash)].slice(0, remembered);
}

type Trial = NonNullable<Rollout['current']>;

function canaryOf({ canary }: Trial, { frontends }: View): SeenFrontend | undefined {
  return frontends.find(({ server }) => server.metadata.name === canary);
}

/** Its machine has gone or does not answer: that says nothing of the configuration. */
function isLost(trial: Trial, view: View, now: Instant): boolean {
  const report = canaryOf(trial, view)?.report;
  const isSilent = report?.silentSince !== undefined && now - report.silentSince >= silenceLimit;
  return trial.stopMessage === undefined && (report === undefined || isSilent);
}

function isLate({ startTime }: Trial, now: Instant): boolean {
  return now - Date.parse(startTime) > deadline;
}

/** Undefined while none can be tried. */
function chooseCanary(
  { balancer }: Observed,
  view: View,
  hash: string,
): SeenFrontend | 'nobody to protect' | undefined {
  const known = (name: string) => balancer.status?.frontends?.find(({ server }) => server === name);
  const behind = view.frontends.filter(({ server, report }) => {
    const base = report.observation?.running?.base ?? known(server.metadata.name)?.configHash;
    return base !== undefined && base !== hash;
  });
  const mayServe = ({ server, serves, running }: SeenFrontend) =>
    running === undefined ? known(server.metadata.name)?.inService === true : serves;
  if (behind.length < 2 || !behind.some(mayServe)) return 'nobody to protect';
  const fit = behind.filter(({ running, report }) => running !== undefined && report.trouble === undefined);
  // The one that has the last, failed configuration has the least to lose.
  const failed = fit.find(({ server }) => server.metadata.name === balancer.status?.rollout?.canary);
  return failed ?? fit.find(({ serves }) => serves);
}

function wasAskedAgain({ metadata, status }: LoadBalancer): boolean {
  const asked = metadata.annotations?.[annotations.reconcileAt];
  return asked !== undefined && asked !== status?.lastHandledReconcileAt;
}

interface Trialled {
  readonly observed: Observed;
  readonly view: View;
  readonly watches: Watches;
}

function verdictOn(trial: Trial, { observed, view, watches }: Trialled): TrialVerdict {
  const { balancer, materials, now } = observed;
  const canary = canaryOf(trial, view);
  const others = view.frontends.filter((one) => one !== canary && !one.isCurrent);
  const facts = canary && sceneOf(canary, { others, servers: materials.servers });
  if (facts === undefined) {
    const message = `HAProxy there does not run it after ${deadline / 1000} s`;
    return isLate(trial, now) ? { is: 'bad', message } : { is: 'waiting' };
  }
  const verdict = watches.judge(balancer.metadata.uid, `${trial.configHash} ${trial.startTime}`, facts, now);
  if (verdict.is === 'waiting' && isLate(trial, now)) {
    return { is: 'bad', message: 'HAProxy there begins again and again' };
  }
  return verdict;
}

/** Undefined while it does not run the new structure. */
function sceneOf(canary: SeenFrontend, rest: Omit<TrialFacts, 'canary'>): TrialFacts | undefined {
  const { running } = canary;
  return running !== undefined && canary.isCurrent ? { canary: { ...canary, running }, ...rest } : undefined;
}
