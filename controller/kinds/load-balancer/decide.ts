/** What a load balancer says of itself, from what its front ends report. Pure. */
import type { Reason } from '../../api/reasons.ts';
import type { Observed } from './observe.ts';
import type { SeenFrontend, View } from './view.ts';

export interface Opinion<Type extends 'Ready' | 'ConfigApplied' | 'BackendsHealthy'> {
  readonly reason: Reason<'LoadBalancer', Type>;
  readonly message: string;
}

export interface Opinions {
  readonly ready: Opinion<'Ready'>;
  readonly config: Opinion<'ConfigApplied'>;
  readonly backends: Opinion<'BackendsHealthy'>;
}

/** Reasons of ConfigApplied that a person has to do something about. */
const mistakes = new Set<string>([
  'ConfigInvalid',
  'ArrayNotFound',
  'DeploymentNotFound',
  'FrontendsTaken',
  'CertificateUnusable',
  'PageNotFound',
  'HandEdited',
] satisfies Reason<'LoadBalancer', 'ConfigApplied'>[]);

export function decide(observed: Observed, view: View): Opinions {
  const config = configOpinion(observed, view);
  const backends = backendsOpinion(view);
  return { config, backends, ready: readyOpinion(observed, view, { config, backends }) };
}

/** Whether a person has to do something. */
export function isMistake({ reason }: Opinion<'ConfigApplied'>): boolean {
  return mistakes.has(reason);
}

/** Nothing is changed on any front end. */
export function isHandsOff({ balancer, problem }: Observed): boolean {
  return balancer.spec.suspend || problem !== undefined;
}

function configOpinion({ balancer, problem, frontends }: Observed, view: View): Opinion<'ConfigApplied'> {
  if (problem !== undefined)
    return { ...problem, message: `${problem.message} ${stays(balancer.status?.configHash)}` };
  if (frontends.length === 0) {
    const array = balancer.spec.frontendArrayRef.name;
    return { reason: 'NoFrontends', message: `ServerArray/${array} has no server that has booted yet.` };
  }
  return troubleOf(view) ?? progressOf(view);
}

function troubleOf(view: View): Opinion<'ConfigApplied'> | undefined {
  const troubled = (kind: string) => view.frontends.find(({ report }) => report.trouble?.kind === kind);
  const rejected = troubled('rejected');
  if (rejected !== undefined) {
    const hash = rejected.running?.base;
    const message = `HAProxy rejects the new configuration on ${say(rejected)}. ${stays(hash)}`;
    return { reason: 'ConfigInvalid', message };
  }
  const edited = troubled('edited');
  if (edited !== undefined) return { reason: 'HandEdited', message: say(edited) };
  const silent = troubled('unreachable');
  const others = view.frontends.filter(({ report }) => report.trouble === undefined);
  if (silent !== undefined && others.every(({ isCurrent }) => isCurrent)) {
    const message = `${say(silent)}. ${others.length} other front ends are in step.`;
    return { reason: 'FrontendUnreachable', message };
  }
  const refused = troubled('refused');
  return refused === undefined
    ? undefined
    : { reason: 'Applying', message: `${say(refused)}. It is tried again.` };
}

function say({ server, report }: SeenFrontend): string {
  return `${server.metadata.name}: ${report.trouble?.message ?? ''}`;
}

function progressOf({ frontends }: View): Opinion<'ConfigApplied'> {
  const current = frontends.filter(({ isCurrent }) => isCurrent).length;
  const count = `${current} of ${frontends.length} front ends run the wanted configuration.`;
  return current === frontends.length && current > 0
    ? { reason: 'Applied', message: count }
    : { reason: 'Applying', message: count };
}

function stays(hash: string | undefined): string {
  return hash === undefined
    ? 'Nothing is changed.'
    : `The running configuration (hash ${hash.slice(0, 4)}) stays in force.`;
}

function backendsOpinion({ frontends, up, down }: View): Opinion<'BackendsHealthy'> {
  if (frontends.every(({ running }) => running === undefined)) {
    return { reason: 'StatsUnavailable', message: 'No front end can be asked.' };
  }
  const names = down.slice(0, 10).map((server) => server.metadata.name);
  if (up.length === 0) {
    const who = names.length === 0 ? 'The arrays have no server in service.' : `Down: ${names.join(', ')}.`;
    return { reason: 'AllDown', message: who };
  }
  if (down.length === 0) return { reason: 'AllUp', message: `All ${up.length} servers are up.` };
  const message = `${down.length} of ${up.length + down.length} servers are not up on every front end: ${names.join(', ')}.`;
  return { reason: 'SomeDown', message };
}

function readyOpinion(
  { balancer }: Observed,
  view: View,
  { config, backends }: Omit<Opinions, 'ready'>,
): Opinion<'Ready'> {
  if (balancer.spec.suspend)
    return { reason: 'Suspended', message: 'spec.suspend is set; nothing is changed.' };
  if (mistakes.has(config.reason)) return { reason: 'ConfigInvalid', message: config.message };
  if (view.frontends.every(({ running }) => running === undefined)) {
    const message = view.frontends.length === 0 ? config.message : 'No front end answers.';
    return { reason: 'NoFrontends', message };
  }
  if (config.reason === 'Applying') return { reason: 'Applying', message: config.message };
  if (balancer.spec.maintenance.enabled)
    return { reason: 'Maintenance', message: 'The maintenance page is shown.' };
  if (view.frontends.every(({ serves }) => !serves))
    return { reason: 'NoBackendsUp', message: backends.message };
  const serving = view.frontends.filter(({ serves }) => serves).length;
  return {
    reason: 'Serving',
    message: `${serving} of ${view.frontends.length} front ends serve ${view.up.length} servers.`,
  };
}
