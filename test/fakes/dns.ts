/** A stateful Route 53 in memory; changes are visible to `records` at once and in sync a while later. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Dns, DnsRecord } from '../../controller/cloud/port.ts';
import { Faults } from './faults.ts';

const syncDelay: Millis = 2_000;

export class FakeDns implements Dns {
  readonly faults = new Faults<keyof Dns>();
  readonly #clock: Clock;
  readonly #zones = new Map<string, Map<string, DnsRecord>>();
  readonly #changes = new Map<string, Instant>();

  constructor(clock: Clock, zoneIds: readonly string[] = ['Z1']) {
    this.#clock = clock;
    for (const zoneId of zoneIds) this.#zones.set(zoneId, new Map());
  }

  upsert(zoneId: string, records: readonly DnsRecord[]): Promise<string> {
    return this.faults.run('upsert', { zoneId, records }, () => {
      const zone = this.#zone(zoneId);
      for (const record of records) zone.set(keyOf(record), record);
      const changeId = `C${this.#changes.size + 1}`;
      this.#changes.set(changeId, this.#clock.now() + syncDelay);
      return changeId;
    });
  }

  remove(zoneId: string, records: readonly DnsRecord[]): Promise<void> {
    return this.faults.run('remove', { zoneId, records }, () => {
      const zone = this.#zone(zoneId);
      for (const record of records) if (isSame(zone.get(keyOf(record)), record)) zone.delete(keyOf(record));
    });
  }

  records(zoneId: string): Promise<readonly DnsRecord[]> {
    return this.faults.run('records', zoneId, () => [...this.#zone(zoneId).values()]);
  }

  inSync(changeId: string): Promise<boolean> {
    return this.faults.run('inSync', changeId, () => {
      const at = this.#changes.get(changeId);
      if (at === undefined) throw new AppError('cloud.not-found', `there is no change ${changeId}`);
      return at <= this.#clock.now();
    });
  }

  #zone(zoneId: string): Map<string, DnsRecord> {
    const zone = this.#zones.get(zoneId);
    if (zone === undefined) throw new AppError('cloud.not-found', `there is no zone ${zoneId}`);
    return zone;
  }
}

function keyOf(record: DnsRecord): string {
  return `${record.name} ${record.type}`;
}

function isSame(left: DnsRecord | undefined, right: DnsRecord): boolean {
  return (
    left !== undefined &&
    left.ttlSeconds === right.ttlSeconds &&
    left.values.toSorted().join('\n') === right.values.toSorted().join('\n')
  );
}
