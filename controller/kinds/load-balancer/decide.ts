/** What a load balancer says of itself, from what its front ends report. Pure. */
import type { ReasonOf } from '../../api/conditions.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { annotations } from '../../api/meta.ts';
import type { Reason } from '../../api/reasons.ts';
import type { Millis } from '../../base/clock.ts';
import { replaceCommand } from './certificates.ts';
import type { Observed } from './observed.ts';
import { hidesMembers } from './problems.ts';
import type { Rollout } from './rollout.ts';
import type { SeenFrontend, View } from './view.ts';

export interface Conditions {
  readonly certificates: ReasonOf<'LoadBalancer', 'CertificatesValid'>;
  readonly ready: ReasonOf<'LoadBalancer', 'Ready'>;
  readonly config: ReasonOf<'LoadBalancer', 'ConfigApplied'>;
  readonly backends: ReasonOf<'LoadBalancer', 'BackendsHealthy'>;
}

const day: Millis = 24 * 3_600_000;
/** People are told so long before. */
const notice: Millis = 14 * day;

/** Reasons of ConfigApplied that a person has to do something about. */
const mistakes = new Set<string>([
  'ConfigInvalid',
  'ArrayNotFound',
  'DeploymentNotFound',
  'FrontendsTaken',
  'CertificateUnusable',
  'PageNotFound',
  'HandEdited',
  'CanaryFailed',
  'PortShared',
] satisfies Reason<'LoadBalancer', 'ConfigApplied'>[]);

/** All conditions but DNS; `ready` sums up the others. */
export function decide(observed: Observed, view: View, rollout: Rollout): Conditions {
  const config = configCondition(observed, view, rollout);
  const backends = backendsCondition(view);
  const certificates = certificatesCondition(observed);
  return { config, backends, certificates, ready: readyCondition(observed, view, { config, backends }) };
}

/** Whether a person has to do something. */
export function isMistake({ reason }: ReasonOf<'LoadBalancer', 'ConfigApplied'>): boolean {
  return mistakes.has(reason);
}

/** Nothing is changed on any front end. */
export function isHandsOff({ balancer, problem }: Observed): boolean {
  return balancer.spec.suspend || (problem !== undefined && hidesMembers(problem));
}

function configCondition(
  { balancer, problem, frontends }: Observed,
  view: View,
  rollout: Rollout,
): ReasonOf<'LoadBalancer', 'ConfigApplied'> {
  if (problem !== undefined)
    return { ...problem, message: `${problem.message} ${describeKept(balancer.status?.configHash)}` };
  if (frontends.length === 0) {
    const array = balancer.spec.frontendArrayRef.name;
    return { reason: 'NoFrontends', message: `ServerArray/${array} has no server that has booted yet.` };
  }
  return (
    troubleOf(view) ??
    trialCondition(balancer, view, rollout) ??
    sharedPortCondition(view) ??
    progressOf(view)
  );
}

/** A configuration that one front end has and the others have not. */
function trialCondition(
  { metadata }: LoadBalancer,
  view: View,
  { current }: Rollout,
): ReasonOf<'LoadBalancer', 'ConfigApplied'> | undefined {
  if (current === undefined || current.configHash !== view.hash) return undefined;
  const { canary, configHash, stopMessage } = current;
  const waiting = view.frontends.filter(
    ({ server, isCurrent }) => server.metadata.name !== canary && !isCurrent,
  );
  const others = `${waiting.length} other front ends still run the one before`;
  if (stopMessage === undefined) {
    const message = `${canary} is the first to run the new configuration (hash ${shortHash(configHash)}) and is watched for 5 s; ${others}.`;
    return { reason: 'Applying', message };
  }
  const again = `kubectl annotate rllb ${metadata.name} -n ${metadata.namespace} ${annotations.reconcileAt}="$(date +%s)" --overwrite`;
  const names = waiting.slice(0, 10).map(({ server }) => server.metadata.name);
  const message =
    `${canary} is the first to run the new configuration (hash ${shortHash(configHash)}): ${stopMessage}. ${others}: ${names.join(', ')}. ` +
    `Correct the spec, or undo the change. To watch it once more: ${again}.`;
  return { reason: 'CanaryFailed', message };
}

function sharedPortCondition(view: View): ReasonOf<'LoadBalancer', 'ConfigApplied'> | undefined {
  for (const { server, report } of view.frontends) {
    const [stranger] = report.silentSince === undefined ? (report.observation?.strangers ?? []) : [];
    if (stranger === undefined) continue;
    const { port, pid, program, unit } = stranger;
    const end = unit.endsWith('.service') ? `systemctl disable --now ${unit}` : `kill ${pid}`;
    const message =
      `${server.metadata.name}: ${program} (pid ${pid}, ${unit || 'no unit'}) listens on port ${port} too and takes a part of the requests. ` +
      `Ridgeline ends nothing that it did not start; end it there: ${end}.`;
    return { reason: 'PortShared', message };
  }
  return undefined;
}

function shortHash(hash: string): string {
  return hash.slice(0, 4);
}

function troubleOf(view: View): ReasonOf<'LoadBalancer', 'ConfigApplied'> | undefined {
  const troubled = (kind: string) => view.frontends.find(({ report }) => report.trouble?.kind === kind);
  const rejected = troubled('rejected');
  if (rejected !== undefined) {
    const hash = rejected.running?.base;
    const message = `HAProxy rejects the new configuration on ${describeTrouble(rejected)}. ${describeKept(hash)}`;
    return { reason: 'ConfigInvalid', message };
  }
  const edited = troubled('edited');
  if (edited !== undefined) return { reason: 'HandEdited', message: describeTrouble(edited) };
  const silent = troubled('unreachable');
  const others = view.frontends.filter(({ report }) => report.trouble === undefined);
  if (silent !== undefined && others.every(({ isCurrent }) => isCurrent)) {
    const message = `${describeTrouble(silent)}. ${others.length} other front ends are in step.`;
    return { reason: 'FrontendUnreachable', message };
  }
  const refused = troubled('refused');
  return refused === undefined
    ? undefined
    : { reason: 'Applying', message: `${describeTrouble(refused)}. It is tried again.` };
}

function describeTrouble({ server, report }: SeenFrontend): string {
  return `${server.metadata.name}: ${report.trouble?.message ?? ''}`;
}

function progressOf({ frontends }: View): ReasonOf<'LoadBalancer', 'ConfigApplied'> {
  const current = frontends.filter(({ isCurrent }) => isCurrent).length;
  const count = `${current} of ${frontends.length} front ends run the wanted configuration.`;
  return current === frontends.length && current > 0
    ? { reason: 'Applied', message: count }
    : { reason: 'Applying', message: count };
}

function describeKept(hash: string | undefined): string {
  return hash === undefined
    ? 'Nothing is changed.'
    : `The running configuration (hash ${shortHash(hash)}) stays in force.`;
}

function backendsCondition({ frontends, up, down }: View): ReasonOf<'LoadBalancer', 'BackendsHealthy'> {
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

function readyCondition(
  { balancer }: Observed,
  view: View,
  { config, backends }: Pick<Conditions, 'config' | 'backends'>,
): ReasonOf<'LoadBalancer', 'Ready'> {
  if (balancer.spec.suspend)
    return { reason: 'Suspended', message: 'spec.suspend is set; nothing is changed.' };
  if (config.reason === 'PortShared') return { reason: 'PortShared', message: config.message };
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

/** What to say of them all: the worst first. Whether they are accepted is between a site and its visitors. */
export function certificatesCondition({
  balancer,
  problem,
  certificates,
  now,
}: Observed): ReasonOf<'LoadBalancer', 'CertificatesValid'> {
  if (problem?.reason === 'CertificateUnusable') return { reason: 'Unusable', message: problem.message };
  if (certificates.size === 0) return { reason: 'NotUsed', message: 'No listener speaks HTTPS.' };
  const all = [...certificates].toSorted(([, a], [, b]) => a.expiresAt - b.expiresAt);
  const [name, soonest] = all[0]!;
  const date = new Date(soonest.expiresAt).toISOString().slice(0, 10);
  const renew = `Renew it and replace the Secret: ${replaceCommand(soonest.secret)}`;
  const what = `Listener ${name}: the certificate in Secret/${soonest.secret}`;
  if (soonest.expiresAt <= now)
    return { reason: 'Expired', message: `${what} expired on ${date}. ${renew}.` };
  const host = balancer.spec.dns?.name;
  const wrong = all.find(([, certificate]) => host !== undefined && !certificate.isFor(host));
  if (wrong !== undefined) {
    const message = `Listener ${wrong[0]}: the certificate in Secret/${wrong[1].secret} is not for ${host}.`;
    return { reason: 'WrongName', message };
  }
  return soonest.expiresAt - now < notice
    ? { reason: 'ExpiresSoon', message: `${what} expires on ${date}. ${renew}.` }
    : { reason: 'Valid', message: `All are valid until ${date} or longer.` };
}
