/** Who votes on an array's size, with the newest figures, and what servers answered while an update is watched. */
import { findCondition } from '../../api/conditions.ts';
import { isBalanced, isOutOfService } from '../../api/drain.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import { arrayOf, type Server, serverKind } from '../../api/server.ts';
import type { ServerArray } from '../../api/server-array.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Cache } from '../../kube/port.ts';
import type { Answers, LoadReports } from '../../load-reports/load-reports.ts';
import type { FigureSource, Figures, Observed, VotingServer } from './decide/plan.ts';
import { type Sampler, scriptSource } from './sampler.ts';

interface VoterPorts {
  readonly cache: Cache;
  readonly loads: LoadReports;
  readonly sampler: Sampler;
}

/** Front ends report a moment after the time they report about. */
const settling: Millis = 10_000;

/** Also asks the servers whose figures are due; the answers are there for a later look. */
export function votersOf(
  { cache, loads, sampler }: VoterPorts,
  array: ServerArray,
  now: Instant,
): Pick<Observed, 'voters' | 'measuring' | 'unusableScripts'> {
  const { autoscaling } = array.spec;
  if (autoscaling?.metrics === undefined) return { voters: [], measuring: false, unusableScripts: {} };
  const { namespace = '', name } = array.metadata;
  const arrays = [name, ...(autoscaling.voterArrays ?? [])];
  const servers = cache
    .list(serverKind, { namespace })
    .filter((server) => arrays.includes(arrayOf(server) ?? '') && isInService(server));
  const balancers = cache.list(loadBalancerKind, { namespace });
  const scripts = [...new Set(autoscaling.metrics.flatMap(({ scriptRef }) => scriptRef?.name ?? []))];
  const host = autoscaling.metrics.some(({ source }) => source !== 'Script' && !source.startsWith('Proxy'));
  const period = autoscaling.periodSeconds * 1_000;
  const measuring = sampler.sample({ array, servers, host, scripts, period }, now);
  const unusable = scripts.flatMap((script) => {
    const why = sampler.unusable(array, script);
    return why === undefined ? [] : [[script, why] as const];
  });
  const sources: readonly FigureSource[] = ['CPU', 'Load', 'Memory', ...scripts.map(scriptSource)];
  const voters = servers.map(
    (server): VotingServer => ({
      server: server.metadata.name,
      figures: { ...sampler.of(server, scripts), ...proxyFigures(loads, server) },
      problems: problemsOf(sampler, server, sources),
      balanced: isBalanced(arrayOf(server) ?? '', balancers),
    }),
  );
  return { voters, measuring, unusableScripts: Object.fromEntries(unusable) };
}

/** What servers answered since the watch of the update was written down last; nothing while there is none. */
export function answersOf(
  loads: LoadReports,
  { status }: ServerArray,
  servers: readonly Server[],
  now: Instant,
): Pick<Observed, 'answers' | 'answersUntil'> {
  const until = now - settling;
  const watch = status?.update?.watch;
  const from = watch === undefined ? until : Date.parse(watch.time);
  const answers = servers.map(({ metadata }): [string, Answers] => [
    metadata.name,
    loads.answers(metadata.uid, from, until),
  ]);
  return { answers: new Map(watch === undefined ? [] : answers), answersUntil: Math.max(from, until) };
}

function isInService(server: Server): boolean {
  const { status } = server;
  const state = findCondition(status, 'Ready')?.reason;
  // One that was Operational and is silent now is a voter without a voice, not no voter.
  return !isOutOfService(server) && status?.operationalTime !== undefined && state !== 'Terminated';
}

function problemsOf(
  sampler: Sampler,
  server: Server,
  sources: readonly FigureSource[],
): VotingServer['problems'] {
  const all = sources.flatMap((source) => {
    const why = sampler.problem(server, source);
    return why === undefined ? [] : [[source, why] as const];
  });
  return Object.fromEntries(all);
}

function proxyFigures(loads: LoadReports, { metadata }: Server): Figures {
  const report = loads.of(metadata.uid);
  if (report === undefined) return {};
  const { at, queued, sessions } = report;
  return { ProxyQueue: { at, value: queued }, ProxySessions: { at, value: sessions } };
}
