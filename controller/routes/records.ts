/** Which names a cluster publishes, and what to say when that fails. Pure. */
import type { SiteDeployment } from '../api/deployment.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Reason } from '../api/reasons.ts';
import type { AppError } from '../base/errors.ts';
import type { AddressRecord } from '../dns/publisher.ts';
import type { Route } from './model.ts';

interface Names {
  readonly cluster: MySQLCluster;
  readonly deployment: SiteDeployment | undefined;
}

/** The record of the writer; undefined when none is asked for or the Deployment has no zone. */
export function writerRecord(names: Names, address: string): AddressRecord | undefined {
  return recordOf(names, 'writer', [address]);
}

/** All records. Reads go to the primary while there is no replica for them. */
export function wantedRecords(names: Names, { writer, readers }: Route): readonly AddressRecord[] {
  const addresses = readers.length > 0 ? readers.map(({ address }) => address) : [writer.address];
  const records = [writerRecord(names, writer.address), recordOf(names, 'reader', addresses)];
  return records.filter((record) => record !== undefined);
}

/** A name that the Deployment's zone cannot hold. */
export function misplacedName({ cluster, deployment }: Names): string | undefined {
  const { writer, reader } = cluster.spec.endpoints ?? {};
  const domain = deployment?.spec.dns?.domain;
  if (domain === undefined) return undefined;
  const name = [writer, reader].find(
    (one) => one !== undefined && one.dnsName !== domain && !one.dnsName.endsWith(`.${domain}`),
  );
  if (name === undefined) return undefined;
  return `${name.dnsName} does not lie in ${domain}, the domain of Deployment/${cluster.spec.deploymentRef.name}.`;
}

/** A name that nobody can publish: the Deployment says of no zone. */
export function homelessName({ cluster, deployment }: Names): string | undefined {
  const { writer, reader } = cluster.spec.endpoints ?? {};
  const name = writer ?? reader;
  if (name === undefined || deployment?.spec.dns?.zoneID !== undefined) return undefined;
  return `${name.dnsName} is published nowhere: Deployment/${cluster.spec.deploymentRef.name} has no spec.dns.zoneID. Set it, or take the name out of spec.endpoints.`;
}

/** The reason of `EndpointsReady` for an error of the cloud. */
export function explainFailure(failure: AppError): {
  readonly reason: Reason<'MySQLCluster', 'EndpointsReady'>;
  readonly message: string;
} {
  const { code, message } = failure;
  if (code === 'cloud.not-found') return { reason: 'ZoneNotFound', message };
  if (code === 'cloud.denied' || code === 'cloud.credentials') return { reason: 'AccessDenied', message };
  return { reason: 'CloudUnreachable', message: `${message}. It is tried again.` };
}

function recordOf(
  { cluster, deployment }: Names,
  role: 'writer' | 'reader',
  addresses: readonly string[],
): AddressRecord | undefined {
  const endpoint = cluster.spec.endpoints?.[role];
  const zoneID = deployment?.spec.dns?.zoneID;
  if (endpoint === undefined || zoneID === undefined) return undefined;
  const { dnsName: name, ttlSeconds } = endpoint;
  return { zoneID, name, ttlSeconds, addresses: addresses.toSorted() };
}
