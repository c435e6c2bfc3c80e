/** From the figures of servers to what they vote with, and what is told about figures that are missing. Pure. */
import type { ConditionOf } from '../../../api/conditions.ts';
import type { ServerArray, ServerArrayStatus } from '../../../api/server-array.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { FigureSource, Observed, VotingServer } from './plan.ts';
import { problemsOf } from './schedule.ts';
import { freshPeriods, type Tally, type Voter } from './votes.ts';

type Autoscaling = NonNullable<ServerArray['spec']['autoscaling']>;
type Metric = NonNullable<Autoscaling['metrics']>[number];
type Seen = Pick<Observed, 'now' | 'voters' | 'unusableScripts'> & { readonly autoscaling: Autoscaling };
type Told = NonNullable<NonNullable<ServerArrayStatus['votes']>['metrics']>[number];

/** So many servers without a number are called by name. */
const named = 3;
const longestProblem = 512;

interface Moment {
  readonly now: Instant;
  readonly period: Millis;
}

/** A figure that is too old is as good as none. */
export function voterOf(voter: VotingServer, metrics: readonly Metric[], moment: Moment): Voter {
  const expected = metrics.filter((metric) => isExpected(voter, metric));
  const fresh = metrics.flatMap((metric) => {
    const figure = freshFigure(voter, metric, moment);
    return figure === undefined ? [] : [{ name: metric.name, ...figure }];
  });
  return {
    server: voter.server,
    reportedAt: fresh.length === 0 ? undefined : Math.max(...fresh.map(({ at }) => at)),
    readings: Object.fromEntries(fresh.map(({ name, value }) => [name, value])),
    missing: expected.flatMap(({ name }) => (fresh.some((one) => one.name === name) ? [] : [name])),
  };
}

function sourceOf({ source, scriptRef }: Metric): FigureSource {
  return source === 'Script' ? `Script/${scriptRef?.name ?? ''}` : source;
}

/** A server without a load balancer has no queue there: that is nothing to wait for. */
function isExpected({ balanced }: VotingServer, { source }: Metric): boolean {
  return balanced || !source.startsWith('Proxy');
}

function freshFigure({ figures }: VotingServer, metric: Metric, { now, period }: Moment) {
  const figure = figures[sourceOf(metric)];
  return figure !== undefined && now - figure.at <= freshPeriods * period ? figure : undefined;
}

/** For status: what every metric is about, and which servers keep silent on it. */
export function metricsOf(seen: Seen): readonly Told[] {
  const { autoscaling, voters, now } = seen;
  const moment = { now, period: autoscaling.periodSeconds * 1_000 };
  return (autoscaling.metrics ?? []).map((metric) => {
    const values = voters.flatMap((voter) => freshFigure(voter, metric, moment)?.value ?? []);
    const sum = values.reduce((all, value) => all + value, 0);
    const problem = problemOf(seen, metric);
    return {
      name: metric.name,
      voters: values.length,
      ...(values.length === 0 ? {} : { average: decimal(sum / values.length) }),
      ...(problem === undefined ? {} : { problem: problem.slice(0, longestProblem) }),
    };
  });
}

/** As people write it: no more than three digits after the point. */
function decimal(value: number): string {
  return String(Math.round(value * 1_000) / 1_000).slice(0, 32);
}

function problemOf({ autoscaling, voters, now, unusableScripts }: Seen, metric: Metric): string | undefined {
  const script = metric.scriptRef?.name ?? '';
  const unusable = metric.source === 'Script' ? unusableScripts[script] : undefined;
  if (unusable !== undefined) return `Script/${script} ${unusable}.`;
  const moment = { now, period: autoscaling.periodSeconds * 1_000 };
  const silent = voters.filter(
    (voter) => isExpected(voter, metric) && freshFigure(voter, metric, moment) === undefined,
  );
  if (silent.length === 0) return undefined;
  const some = silent.slice(0, named).map(({ server, problems }) => {
    const why = problems[sourceOf(metric)];
    return why === undefined ? server : `${server} ${why}`;
  });
  const rest = silent.length > named ? ' and others' : '';
  return `No number from ${silent.length} of ${voters.length} servers: ${some.join(', ')}${rest}.`;
}

/** Whether votes can move the array now; what is missing, and what to do about it. */
export function activeCondition(seen: Seen, tally: Tally): ConditionOf<'ServerArray', 'ScalingActive'> {
  const { autoscaling, now, voters } = seen;
  const { schedules = [], metrics = [] } = autoscaling;
  const problems = problemsOf(schedules, now);
  if (problems.length > 0) {
    const text = problems.map(({ schedule, message }) => `Schedule ${schedule}: ${message}.`).join(' ');
    return { status: 'False', reason: 'ScheduleInvalid', message: `${text} It is left out.` };
  }
  if (metrics.length === 0) {
    return { status: 'False', reason: 'NoVotes', message: 'There are no metrics to vote on.' };
  }
  const said = metricsOf(seen).flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`Metric ${name}: ${problem}`],
  );
  const told = said.slice(0, named).join(' ');
  if (metrics.some(({ scriptRef }) => seen.unusableScripts[scriptRef?.name ?? ''] !== undefined)) {
    const text = `${told} Correct the Script or spec.autoscaling.metrics; until then nothing shrinks.`;
    return { status: 'False', reason: 'ScriptUnusable', message: text };
  }
  const total = voters.length;
  if (total === 0) return { status: 'False', reason: 'NoVotes', message: 'No server in service votes.' };
  const heard = total - tally.stale;
  const message = `${heard} of ${total} servers vote. ${told}`.trimEnd();
  return heard * 2 >= total
    ? { status: 'True', reason: 'ValidMetricFound', message }
    : {
        status: 'False',
        reason: 'MetricUnavailable',
        message: `${message} Nothing is changed without numbers.`,
      };
}
