/** The status of a load balancer. Pure. */
import type { UnstampedCondition } from '../../api/conditions.ts';
import { stampConditions } from '../../api/conditions.ts';
import type { LoadBalancer, LoadBalancerStatus } from '../../api/load-balancer.ts';
import { annotations } from '../../api/meta.ts';
import { timestamp } from '../../base/clock.ts';
import { type Conditions, isMistake } from './decide.ts';
import type { Publication } from './dns.ts';
import type { Observed } from './observed.ts';
import type { Rollout } from './rollout.ts';
import type { SeenFrontend, View } from './view.ts';

/** What a pass has found out. */
export interface Findings {
  readonly view: View;
  readonly rollout: Rollout;
  readonly conditions: Conditions;
  readonly dns: Publication;
}

/** The whole status. Arrays act on `upServers` and `drainedServers`. */
export function statusOf(
  observed: Observed,
  { view, rollout, conditions, dns }: Findings,
): LoadBalancerStatus {
  const { balancer, now } = observed;
  const generation = balancer.metadata.generation ?? 0;
  const hasReloaded = view.frontends.some(({ report }) =>
    report.done.some((one) => one.reloadMilliseconds > 0),
  );
  return {
    ...balancer.status,
    observedGeneration: generation,
    lastHandledReconcileAt: balancer.metadata.annotations?.[annotations.reconcileAt],
    configHash: view.hash ?? balancer.status?.configHash,
    frontendsApplied: view.frontends.filter(({ isCurrent }) => isCurrent).length,
    membersUp: view.up.length,
    membersDown: view.down.length,
    upServers: namesOf(view.up),
    drainedServers: namesOf(view.drained),
    url: urlOf(balancer, view, dns),
    rollout: rollout.current,
    provenConfigHashes: rollout.proven,
    frontendArray: holdingReason(observed),
    ...(hasReloaded ? { lastReloadTime: timestamp(now) } : {}),
    record: dns.record,
    frontends: view.frontends.map((frontend) => frontendStatus(observed, frontend, dns)),
    conditions: stampConditions(balancer.status?.conditions, allConditions(conditions, dns), {
      generation,
      at: timestamp(now),
    }),
  };
}

/** A mistake in the spec takes nothing from anybody, and gives nothing away but what others hold. */
function holdingReason({ balancer, problem }: Observed): string | undefined {
  if (problem === undefined) return balancer.spec.frontendArrayRef.name;
  return problem.reason === 'FrontendsTaken' ? undefined : balancer.status?.frontendArray;
}

type FrontendStatus = NonNullable<LoadBalancerStatus['frontends']>[number];

function frontendStatus(
  { balancer, now }: Observed,
  frontend: SeenFrontend,
  { record }: Publication,
): FrontendStatus {
  const { server, address, running, report, serves } = frontend;
  const { name } = server.metadata;
  const before = balancer.status?.frontends?.find((one) => one.server === name);
  // Without DNS whoever sends requests decides where; then serving is all there is to it.
  const inService = balancer.spec.dns === undefined ? serves : record?.addresses.includes(address) === true;
  const hasChanged = report.done.some(({ step }) => step.do === 'write');
  return {
    ...before,
    server: name,
    ...(running === undefined ? {} : { configHash: running.base, version: running.version }),
    inService,
    withdrawnTime: withdrawalTime(before, inService, timestamp(now)),
    ...(hasChanged ? { appliedTime: timestamp(now) } : {}),
  };
}

function withdrawalTime(
  before: FrontendStatus | undefined,
  inService: boolean,
  now: string,
): string | undefined {
  if (inService) return undefined;
  return before?.inService === true ? now : before?.withdrawnTime;
}

function namesOf(servers: View['up']): readonly string[] {
  return servers.map(({ metadata }) => metadata.name).toSorted();
}

const goodCertificates = new Set<string>(['Valid', 'NotUsed', 'ExpiresSoon']);

function allConditions(
  { ready, config, backends, certificates }: Conditions,
  dns: Publication,
): readonly UnstampedCondition[] {
  const isReady = ready.reason === 'Serving' || ready.reason === 'Maintenance';
  const isPublished = dns.reason === 'RecordsMatch' || dns.reason === 'NotConfigured';
  const isUnknown = backends.reason === 'StatsUnavailable';
  return [
    { type: 'Ready', status: isReady ? 'True' : 'False', ...ready },
    { type: 'ConfigApplied', status: config.reason === 'Applied' ? 'True' : 'False', ...config },
    {
      type: 'BackendsHealthy',
      status: isUnknown ? 'Unknown' : backends.reason === 'AllUp' ? 'True' : 'False',
      ...backends,
    },
    {
      type: 'CertificatesValid',
      status: goodCertificates.has(certificates.reason) ? 'True' : 'False',
      ...certificates,
    },
    {
      type: 'DNSReady',
      status: isPublished ? 'True' : 'False',
      reason: dns.reason,
      message: dns.message,
    },
    ...kstatusConditions(ready, config),
  ];
}

/** Reconciling while it will pass by itself, Stalled while a person is needed. */
function kstatusConditions(
  ready: Conditions['ready'],
  config: Conditions['config'],
): readonly UnstampedCondition[] {
  const isSettling =
    ready.reason === 'Applying' || ready.reason === 'NoFrontends' || ready.reason === 'NoBackendsUp';
  return [
    ...(isMistake(config) ? [{ type: 'Stalled', status: 'True' as const, ...config }] : []),
    ...(isSettling ? [{ type: 'Reconciling', status: 'True' as const, ...ready }] : []),
  ];
}

/** What a person can open: the safe listener before the plain one, the name as soon as it is published. */
function urlOf({ spec }: LoadBalancer, { frontends }: View, { record }: Publication): string | undefined {
  const listener =
    spec.listeners.find(({ protocol }) => protocol === 'HTTPS') ??
    spec.listeners.find(({ protocol }) => protocol === 'HTTP');
  const frontend = frontends.find(({ serves }) => serves) ?? frontends[0];
  const host = record?.name ?? frontend?.address;
  if (listener === undefined || host === undefined) return undefined;
  const [scheme, usual] = listener.protocol === 'HTTPS' ? ['https', 443] : ['http', 80];
  return `${scheme}://${host}${listener.port === usual ? '' : `:${listener.port}`}/`;
}
