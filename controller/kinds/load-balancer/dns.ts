/** Publishes the front ends that serve as one A record, and never takes the last one out. */
import type { LoadBalancer, LoadBalancerStatus } from '../../api/load-balancer.ts';
import type { Reason } from '../../api/reasons.ts';
import { drainSince } from '../../api/drain.ts';
import type { Server } from '../../api/server.ts';
import { AppError } from '../../base/errors.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Dns, DnsRecord } from '../../cloud/port.ts';
import type { Observed } from './observe.ts';
import type { View } from './view.ts';

export type PublishedRecord = NonNullable<LoadBalancerStatus['record']>;

export interface Publication {
  readonly record: PublishedRecord | undefined;
  readonly reason: Reason<'LoadBalancer', 'DNSReady'>;
  readonly message: string;
  readonly hasChanged: boolean;
}

/** Somebody else may change the zone: it is compared this often. */
const compareEvery: Millis = 300_000;

interface Memory {
  /** A change that name servers may not answer with yet. */
  readonly changeId?: string;
  readonly comparedAt: Instant;
}

/** The record to publish; undefined when there is nothing to publish or no zone. Pure. */
export function wantedRecord(
  { balancer, deployment }: Observed,
  { frontends }: View,
): PublishedRecord | undefined {
  const { dns } = balancer.spec;
  const zoneID = deployment?.spec.dns?.zoneID;
  if (dns === undefined || zoneID === undefined) return undefined;
  const mayServe = frontends.filter(({ serves, server }) => serves && !isLeaving(server));
  // Leaving or silent, an address in DNS is better than none.
  const known = balancer.status?.record?.addresses ?? [];
  const still = frontends.map(({ address }) => address).filter((address) => known.includes(address));
  const addresses = mayServe.length > 0 ? mayServe.map(({ address }) => address) : still;
  if (addresses.length === 0) return undefined;
  return { zoneID, name: dns.name, ttlSeconds: dns.ttlSeconds, addresses: addresses.toSorted() };
}

function isLeaving(server: Server): boolean {
  return drainSince(server) !== undefined;
}

export class Publisher {
  readonly #memory = new Map<string, Memory>();

  /** Makes DNS say `wanted`; its failures are told in the result, because requests flow without it. */
  async publish(
    open: () => Promise<Dns>,
    balancer: LoadBalancer,
    wanted: PublishedRecord | undefined,
    now: Instant,
  ): Promise<Publication> {
    const before = balancer.status?.record;
    try {
      const isSame = before !== undefined && wanted !== undefined && isEqual(before, wanted);
      if (isSame) return await this.#confirm(open, balancer, wanted, now);
      if (before !== undefined && before.name !== wanted?.name) {
        await (await open()).remove(before.zoneID, [toRecord(before)]);
      }
      if (wanted === undefined) return { ...absent(balancer), hasChanged: before !== undefined };
      return await this.#upsert(await open(), balancer, wanted, now);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { record: before, ...explain(error), hasChanged: false };
    }
  }

  /** Takes the record away, when the balancer goes. */
  async withdraw(open: () => Promise<Dns>, { metadata, status }: LoadBalancer): Promise<void> {
    this.#memory.delete(metadata.uid);
    if (status?.record !== undefined)
      await (await open()).remove(status.record.zoneID, [toRecord(status.record)]);
  }

  async #upsert(
    dns: Dns,
    { metadata }: LoadBalancer,
    record: PublishedRecord,
    now: Instant,
  ): Promise<Publication> {
    const changeId = await dns.upsert(record.zoneID, [toRecord(record)]);
    this.#memory.set(metadata.uid, { changeId, comparedAt: now });
    return { record, ...pending(record), hasChanged: true };
  }

  /** Nothing to change as far as we know: has it spread, and is it still there? */
  async #confirm(
    open: () => Promise<Dns>,
    balancer: LoadBalancer,
    record: PublishedRecord,
    now: Instant,
  ): Promise<Publication> {
    const { changeId, comparedAt = -Infinity } = this.#memory.get(balancer.metadata.uid) ?? {};
    const matches = { record, reason: 'RecordsMatch', message: sentence(record), hasChanged: false } as const;
    if (changeId !== undefined) {
      if (!(await (await open()).inSync(changeId))) return { record, ...pending(record), hasChanged: false };
      this.#memory.set(balancer.metadata.uid, { comparedAt: now });
      return matches;
    }
    if (now - comparedAt < compareEvery) return matches;
    const dns = await open();
    const present = (await dns.records(record.zoneID)).find(
      ({ name, type }) => name === record.name && type === 'A',
    );
    if (present === undefined || !isEqual(fromRecord(record.zoneID, present), record)) {
      return await this.#upsert(dns, balancer, record, now);
    }
    this.#memory.set(balancer.metadata.uid, { comparedAt: now });
    return matches;
  }
}

function absent({ spec }: LoadBalancer): Omit<Publication, 'hasChanged'> {
  if (spec.dns === undefined) {
    return { record: undefined, reason: 'NotConfigured', message: 'spec.dns is unset.' };
  }
  const message = `${spec.dns.name} is published when a front end serves and Deployment/${spec.deploymentRef.name} has spec.dns.`;
  return { record: undefined, reason: 'ChangePending', message };
}

function explain(error: AppError): Pick<Publication, 'reason' | 'message'> {
  const { code, message } = error;
  if (code === 'cloud.not-found') return { reason: 'ZoneNotFound', message };
  if (code === 'cloud.denied' || code === 'cloud.credentials') return { reason: 'AccessDenied', message };
  return { reason: 'CloudUnreachable', message: `${message}. It is tried again.` };
}

function pending(record: PublishedRecord): Pick<Publication, 'reason' | 'message'> {
  return { reason: 'ChangePending', message: `${sentence(record)} Route 53 is spreading it.` };
}

function sentence({ name, addresses }: PublishedRecord): string {
  return `${name} is ${addresses.join(', ')}.`;
}

function toRecord({ name, ttlSeconds, addresses }: PublishedRecord): DnsRecord {
  return { name, type: 'A', ttlSeconds, values: [...addresses] };
}

function fromRecord(zoneID: string, { name, ttlSeconds, values }: DnsRecord): PublishedRecord {
  return { zoneID, name, ttlSeconds, addresses: values };
}

function isEqual(a: PublishedRecord, b: PublishedRecord): boolean {
  const text = (one: PublishedRecord) =>
    [one.zoneID, one.name, one.ttlSeconds, one.addresses.toSorted().join()].join(' ');
  return text(a) === text(b);
}
