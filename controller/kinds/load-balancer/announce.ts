/** Tells people what has changed with a load balancer since its last status. */
import { findCondition } from '../../api/conditions.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { Events } from '../../kube/port.ts';
import type { Observed } from './observed.ts';
import type { Findings } from './status.ts';
import type { SeenFrontend } from './view.ts';

/** Tells what differs from the status in `balancer`, which must be as it was read. */
export function announce(events: Events, { balancer }: Observed, { view, conditions, dns }: Findings): void {
  for (const frontend of view.frontends) {
    const change = describeChange(frontend);
    if (change !== undefined) events.normal(balancer, 'ConfigApplied', change);
  }
  const now = {
    ConfigApplied: conditions.config,
    BackendsHealthy: conditions.backends,
    CertificatesValid: conditions.certificates,
    Ready: conditions.ready,
  };
  for (const { condition, reason, event, type } of headlines) {
    const { reason: current, message } = now[condition];
    if (current !== reason || reasonBefore(balancer, condition) === reason) continue;
    events.tell(balancer, [{ type, reason: event, message }]);
  }
  if (conditions.ready.reason === 'Serving' && reasonBefore(balancer, 'Ready') === 'Maintenance') {
    events.normal(balancer, 'MaintenanceOff', 'Requests go to the servers again.');
  }
  if (dns.hasChanged) events.normal(balancer, 'DNSUpdated', dns.message);
}

/** Events for a condition that has just taken a reason. */
const headlines = [
  { condition: 'ConfigApplied', reason: 'ConfigInvalid', type: 'Warning', event: 'ConfigRejected' },
  { condition: 'ConfigApplied', reason: 'HandEdited', type: 'Warning', event: 'HandEdited' },
  { condition: 'ConfigApplied', reason: 'CanaryFailed', type: 'Warning', event: 'ConfigStopped' },
  { condition: 'ConfigApplied', reason: 'PortShared', type: 'Warning', event: 'PortShared' },
  {
    condition: 'ConfigApplied',
    reason: 'CertificateUnusable',
    type: 'Warning',
    event: 'CertificateRejected',
  },
  { condition: 'CertificatesValid', reason: 'ExpiresSoon', type: 'Warning', event: 'CertificateExpires' },
  { condition: 'CertificatesValid', reason: 'Expired', type: 'Warning', event: 'CertificateExpired' },
  { condition: 'CertificatesValid', reason: 'WrongName', type: 'Warning', event: 'CertificateOfOtherName' },
  {
    condition: 'ConfigApplied',
    reason: 'FrontendUnreachable',
    type: 'Warning',
    event: 'FrontendUnreachable',
  },
  { condition: 'BackendsHealthy', reason: 'AllDown', type: 'Warning', event: 'AllBackendsDown' },
  { condition: 'Ready', reason: 'Maintenance', type: 'Normal', event: 'MaintenanceOn' },
] as const;

function reasonBefore({ status }: LoadBalancer, condition: string): string | undefined {
  return findCondition(status, condition)?.reason;
}

/** What a pass did on one front end: a reload with its time, and who joined and left. */
function describeChange({ server, report }: SeenFrontend): string | undefined {
  const names = (what: 'admit' | 'drain') =>
    report.done.flatMap(({ step }) => (step.do === what ? [step.server] : []));
  const reload = report.done.find(({ reloadMilliseconds }) => reloadMilliseconds > 0);
  const [joined, left] = [names('admit'), names('drain')];
  const parts = [
    ...(reload === undefined ? [] : [`new configuration in ${reload.reloadMilliseconds} ms`]),
    ...(joined.length === 0 ? [] : [`${joined.join(', ')} joined`]),
    ...(left.length === 0 ? [] : [`${left.join(', ')} left`]),
  ];
  return parts.length === 0 ? undefined : `${server.metadata.name}: ${parts.join('; ')}.`;
}
