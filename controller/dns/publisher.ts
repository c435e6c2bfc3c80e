/** Keeps one A record as it is wanted: changes it, follows the change until name servers answer with it, and compares. */
import type { Instant, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Dns, DnsRecord } from '../cloud/port.ts';

export interface AddressRecord {
  readonly zoneID: string;
  readonly name: string;
  readonly ttlSeconds: number;
  readonly addresses: readonly string[];
}

/** What became of a wish. */
export interface Published {
  /** As accepted last; undefined when there is none. */
  readonly record: AddressRecord | undefined;
  /** All name servers answer with it. */
  readonly inSync: boolean;
  /** Route 53 was told to change something now. */
  readonly hasChanged: boolean;
  /** Why Route 53 could not be told or asked. */
  readonly failure?: AppError;
}

/** What DNS should say, and what it was told before. */
export interface Wish {
  /** What keeps the record: one record for each. */
  readonly id: string;
  /** As it was accepted last, by whoever was in charge then. */
  readonly before: AddressRecord | undefined;
  /** Undefined = no record. */
  readonly wanted: AddressRecord | undefined;
}

/** Somebody else may change the zone: it is compared this often. */
const compareEvery: Millis = 300_000;

interface Memory {
  /** A change that name servers may not answer with yet. */
  readonly changeId?: string;
  readonly comparedAt: Instant;
}

/** Remembers which changes are not in sync; when that is lost they are compared anew. */
export class Publisher {
  readonly #memory = new Map<string, Memory>();

  /** Makes DNS say what is wanted; failures of the cloud are told in the result, because traffic flows without it. */
  async publish(open: () => Promise<Dns>, wish: Wish, now: Instant): Promise<Published> {
    const { before, wanted } = wish;
    try {
      if (before !== undefined && wanted !== undefined && isEqual(before, wanted)) {
        return await this.#confirm(open, { id: wish.id, wanted }, now);
      }
      if (before !== undefined && before.name !== wanted?.name) {
        await (await open()).remove(before.zoneID, [toRecord(before)]);
      }
      if (wanted === undefined) {
        return { record: undefined, inSync: true, hasChanged: before !== undefined };
      }
      return await this.#upsert(await open(), { id: wish.id, wanted }, now);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { record: before, inSync: false, hasChanged: false, failure: error };
    }
  }

  /** Takes the record away, when its keeper goes. */
  async withdraw(open: () => Promise<Dns>, id: string, record: AddressRecord | undefined): Promise<void> {
    this.#memory.delete(id);
    if (record !== undefined) await (await open()).remove(record.zoneID, [toRecord(record)]);
  }

  async #upsert(dns: Dns, { id, wanted: record }: Kept, now: Instant): Promise<Published> {
    const changeId = await dns.upsert(record.zoneID, [toRecord(record)]);
    this.#memory.set(id, { changeId, comparedAt: now });
    return { record, inSync: false, hasChanged: true };
  }

  /** Nothing to change as far as we know: has it spread, and is it still there? */
  async #confirm(open: () => Promise<Dns>, kept: Kept, now: Instant): Promise<Published> {
    const { id, wanted: record } = kept;
    const { changeId, comparedAt = -Infinity } = this.#memory.get(id) ?? {};
    const matches = { record, inSync: true, hasChanged: false };
    if (changeId !== undefined) {
      if (!(await (await open()).inSync(changeId))) return { ...matches, inSync: false };
      this.#memory.set(id, { comparedAt: now });
      return matches;
    }
    if (now - comparedAt < compareEvery) return matches;
    const dns = await open();
    const present = (await dns.records(record.zoneID)).find(
      ({ name, type }) => name === record.name && type === 'A',
    );
    if (present === undefined || !isEqual(fromRecord(record.zoneID, present), record)) {
      return await this.#upsert(dns, kept, now);
    }
    this.#memory.set(id, { comparedAt: now });
    return matches;
  }
}

interface Kept {
  readonly id: string;
  readonly wanted: AddressRecord;
}

function toRecord({ name, ttlSeconds, addresses }: AddressRecord): DnsRecord {
  return { name, type: 'A', ttlSeconds, values: [...addresses] };
}

function fromRecord(zoneID: string, { name, ttlSeconds, values }: DnsRecord): AddressRecord {
  return { zoneID, name, ttlSeconds, addresses: values };
}

function isEqual(a: AddressRecord, b: AddressRecord): boolean {
  return textOf(a) === textOf(b);
}

function textOf({ zoneID, name, ttlSeconds, addresses }: AddressRecord): string {
  return [zoneID, name, ttlSeconds, addresses.toSorted().join()].join(' ');
}
