/** What is wrong with a LoadBalancer before any front end is asked: its references and its lines. Pure. */

import type { SiteDeployment } from '../../api/deployment.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { ageOf } from '../../api/meta.ts';
import type { Reason } from '../../api/reasons.ts';
import { type ExtraLines, readExtraLines } from '../../balancer/config-syntax.ts';

export interface Problem {
  readonly reason: Reason<'LoadBalancer', 'ConfigApplied'>;
  readonly message: string;
}

export interface References {
  readonly deployment: SiteDeployment | undefined;
  /** Names of the ServerArrays of the namespace. */
  readonly arrays: ReadonlySet<string>;
  /** The other LoadBalancers of the namespace. */
  readonly others: readonly LoadBalancer[];
}

/**
 * Whether it leaves open which servers belong. Otherwise they go on joining and leaving the configuration that runs, so
 * that nobody's wish to go waits for somebody else's mistake.
 */
export function hidesMembers({ reason }: Problem): boolean {
  return reason === 'ArrayNotFound' || reason === 'DeploymentNotFound' || reason === 'FrontendsTaken';
}

/** The first problem, in the order in which a person would solve them. */
export function findProblem(balancer: LoadBalancer, around: References): Problem | undefined {
  return (
    missingReference(balancer, around) ??
    takenFrontends(balancer, around.others) ??
    mixedProtocols(balancer) ??
    misplacedName(balancer, around.deployment) ??
    extraProblem(balancer, 'global') ??
    extraProblem(balancer, 'defaults')
  );
}

/** A user's lines for one section; those with a problem count as none. */
export function extraOf(balancer: LoadBalancer, section: 'global' | 'defaults'): readonly string[] {
  const extra = read(balancer, section);
  return 'lines' in extra ? extra.lines : [];
}

function missingReference({ spec }: LoadBalancer, around: References): Problem | undefined {
  const deployment = spec.deploymentRef.name;
  if (around.deployment === undefined) {
    return { reason: 'DeploymentNotFound', message: `Deployment/${deployment} does not exist. Create it.` };
  }
  const fields = [
    ['spec.frontendArrayRef', spec.frontendArrayRef.name] as const,
    ...spec.backends.flatMap(({ name, members }) =>
      members.map(({ array }) => [`a member of backend ${name}`, array] as const),
    ),
  ];
  const missing = fields.find(([, array]) => !around.arrays.has(array));
  if (missing === undefined) return undefined;
  const [field, array] = missing;
  const message = `ServerArray/${array} (${field}) does not exist. Create it or correct the name.`;
  return { reason: 'ArrayNotFound', message };
}

/**
 * One file configures HAProxy on a host, so front ends belong to one LoadBalancer: the one that has configured them, else
 * the oldest. An older one that is led to them later, perhaps by a slip, takes them from nobody.
 */
function takenFrontends(balancer: LoadBalancer, others: readonly LoadBalancer[]): Problem | undefined {
  const array = balancer.spec.frontendArrayRef.name;
  const first = others.find(
    (other) => other.spec.frontendArrayRef.name === array && isBefore(other, balancer),
  );
  if (first === undefined) return undefined;
  const ports = balancer.spec.listeners.map(({ port }) => port);
  const shared = first.spec.listeners.filter(({ port }) => ports.includes(port)).map(({ port }) => port);
  const clash = shared.length === 0 ? '' : ` and listens on port ${shared.join(', ')} too`;
  const message =
    `LoadBalancer/${first.metadata.name} runs on the front ends of ServerArray/${array}${clash}. ` +
    `Add the listeners to it, or give this one a ServerArray of its own.`;
  return { reason: 'FrontendsTaken', message };
}

function isBefore(a: LoadBalancer, b: LoadBalancer): boolean {
  const array = b.spec.frontendArrayRef.name;
  const [isFirst, isSecond] = [a, b].map(({ status }) => status?.frontendArray === array);
  return isFirst === isSecond ? ageOf(a) < ageOf(b) : isFirst === true;
}

function mixedProtocols({ spec }: LoadBalancer): Problem | undefined {
  const mixed = spec.backends.find(({ name }) => {
    const protocols = spec.listeners
      .filter(({ backend }) => backend === name)
      .map(({ protocol }) => protocol);
    return protocols.includes('TCP') && protocols.some((protocol) => protocol !== 'TCP');
  });
  if (mixed === undefined) return undefined;
  const message = `Backend ${mixed.name} serves TCP and HTTP listeners. Give the TCP listener a backend of its own.`;
  return { reason: 'ConfigInvalid', message };
}

function misplacedName({ spec }: LoadBalancer, deployment: SiteDeployment | undefined): Problem | undefined {
  if (spec.dns === undefined || deployment?.spec.dns === undefined) return undefined;
  const { domain } = deployment.spec.dns;
  if (spec.dns.name === domain || spec.dns.name.endsWith(`.${domain}`)) return undefined;
  const message = `spec.dns.name ${spec.dns.name} does not lie in ${domain}, the domain of Deployment/${spec.deploymentRef.name}.`;
  return { reason: 'ConfigInvalid', message };
}

function extraProblem(balancer: LoadBalancer, section: 'global' | 'defaults'): Problem | undefined {
  const extra = read(balancer, section);
  if ('lines' in extra) return undefined;
  return { reason: 'ConfigInvalid', message: `spec.haproxyExtra.${section}: ${extra.problem}.` };
}

function read({ spec }: LoadBalancer, section: 'global' | 'defaults'): ExtraLines {
  return readExtraLines(spec.haproxyExtra?.[section] ?? '');
}
