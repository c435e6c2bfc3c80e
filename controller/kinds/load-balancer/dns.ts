/** Which A record a load balancer wants, never without an address once it has one, and what to say of it. Pure. */

import { isOutOfService } from '../../api/drain.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { Reason } from '../../api/reasons.ts';
import type { AppError } from '../../base/errors.ts';
import type { AddressRecord, Published } from '../../dns/publisher.ts';
import type { Observed } from './observed.ts';
import type { View } from './view.ts';

/** What DNS says by now, and the condition about it. */
export interface Publication {
  readonly record: AddressRecord | undefined;
  readonly reason: Reason<'LoadBalancer', 'DNSReady'>;
  readonly message: string;
  readonly hasChanged: boolean;
}

/** The record to publish; undefined when there is nothing to publish or no zone. */
export function wantedRecord(observed: Observed, { frontends }: View): AddressRecord | undefined {
  const { balancer } = observed;
  const head = headOf(observed);
  if (head === undefined) return undefined;
  const mayServe = frontends.filter(({ serves, server }) => serves && !isOutOfService(server));
  // Leaving or silent, an address in DNS is better than none.
  const known = balancer.status?.record?.addresses ?? [];
  const still = frontends.map(({ address }) => address).filter((address) => known.includes(address));
  const addresses = mayServe.length > 0 ? mayServe.map(({ address }) => address) : still;
  if (addresses.length === 0) return undefined;
  return { ...head, addresses: addresses.toSorted() };
}

/** While something is wrong with the spec, the name stays as it was. */
function headOf({
  balancer,
  deployment,
  problem,
}: Observed): Pick<AddressRecord, 'zoneID' | 'name' | 'ttlSeconds'> | undefined {
  if (problem !== undefined) return balancer.status?.record;
  const { dns } = balancer.spec;
  const zoneID = deployment?.spec.dns?.zoneID;
  return dns === undefined || zoneID === undefined ? undefined : { zoneID, ...dns };
}

/** What to tell of what became of it. */
export function publicationOf(balancer: LoadBalancer, published: Published): Publication {
  const { record, inSync, hasChanged, failure } = published;
  if (failure !== undefined) return { record, ...explainFailure(failure), hasChanged };
  if (record === undefined) return { record, ...explainAbsence(balancer), hasChanged };
  const sentence = `${record.name} is ${record.addresses.join(', ')}.`;
  if (inSync) return { record, reason: 'RecordsMatch', message: sentence, hasChanged };
  return { record, reason: 'ChangePending', message: `${sentence} Route 53 is spreading it.`, hasChanged };
}

function explainAbsence({ spec }: LoadBalancer): Pick<Publication, 'reason' | 'message'> {
  if (spec.dns === undefined) return { reason: 'NotConfigured', message: 'spec.dns is unset.' };
  const message = `${spec.dns.name} is published when a front end serves and Deployment/${spec.deploymentRef.name} has spec.dns.`;
  return { reason: 'ChangePending', message };
}

function explainFailure({ code, message }: AppError): Pick<Publication, 'reason' | 'message'> {
  if (code === 'cloud.not-found') return { reason: 'ZoneNotFound', message };
  if (code === 'cloud.denied' || code === 'cloud.credentials') return { reason: 'AccessDenied', message };
  return { reason: 'CloudUnreachable', message: `${message}. It is tried again.` };
}
