/** Dns over Route 53. */
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsResponse,
  type ResourceRecordSet,
  Route53Client,
} from '@aws-sdk/client-route-53';
import { AppError, hasCode } from '../base/errors.ts';
import { type CallContext, Caller } from './calls.ts';
import { clientConfig } from './clients.ts';
import type { CloudTarget, Dns, DnsRecord } from './port.ts';

const types: readonly DnsRecord['type'][] = ['A', 'CNAME', 'TXT'];

/** Changes are accepted, not in sync: `inSync` tells when name servers answer with them. */
export class Route53Dns implements Dns {
  readonly #client: Route53Client;
  readonly #calls: Caller;

  constructor(target: CloudTarget, context: CallContext) {
    this.#client = new Route53Client(clientConfig(target, 'route53'));
    this.#calls = new Caller('route53', context);
  }

  async upsert(zoneId: string, records: readonly DnsRecord[]): Promise<string> {
    return await this.#change(zoneId, 'UPSERT', records);
  }

  async remove(zoneId: string, records: readonly DnsRecord[]): Promise<void> {
    try {
      await this.#change(zoneId, 'DELETE', records);
    } catch (error) {
      // Route 53 refuses the whole batch when one record is gone or differs: delete those that match.
      if (!hasCode(error, 'cloud.bad-request') || error.fields['awsCode'] !== 'InvalidChangeBatch')
        throw error;
      const present = new Set((await this.records(zoneId)).map(recordIdentity));
      const left = records.filter((record) => present.has(recordIdentity(record)));
      if (left.length > 0) await this.#change(zoneId, 'DELETE', left);
    }
  }

  async records(zoneId: string): Promise<readonly DnsRecord[]> {
    const records: DnsRecord[] = [];
    let start: object | undefined = {};
    while (start !== undefined) {
      const from: object = start;
      const page: ListResourceRecordSetsResponse = await this.#calls.read(
        'ListResourceRecordSets',
        (options) =>
          this.#client.send(new ListResourceRecordSetsCommand({ HostedZoneId: zoneId, ...from }), options),
      );
      records.push(...(page.ResourceRecordSets ?? []).flatMap((set) => toRecord(set) ?? []));
      start =
        page.IsTruncated === true
          ? { StartRecordName: page.NextRecordName, StartRecordType: page.NextRecordType }
          : undefined;
    }
    return records;
  }

  async inSync(changeId: string): Promise<boolean> {
    const answer = await this.#calls.read('GetChange', (options) =>
      this.#client.send(new GetChangeCommand({ Id: changeId }), options),
    );
    return answer.ChangeInfo?.Status === 'INSYNC';
  }

  async #change(zoneId: string, action: 'UPSERT' | 'DELETE', records: readonly DnsRecord[]): Promise<string> {
    const Changes = records.map((record): Change => ({ Action: action, ResourceRecordSet: toSet(record) }));
    const answer = await this.#calls.write('ChangeResourceRecordSets', 1, (options) =>
      this.#client.send(
        new ChangeResourceRecordSetsCommand({ HostedZoneId: zoneId, ChangeBatch: { Changes } }),
        options,
      ),
    );
    const id = answer.ChangeInfo?.Id;
    if (id === undefined) throw new AppError('cloud.ambiguous', 'Route 53 answered without a change id');
    return id.replace('/change/', '');
  }
}

function toSet(record: DnsRecord): ResourceRecordSet {
  return {
    Name: `${record.name}.`,
    Type: record.type,
    TTL: record.ttlSeconds,
    ResourceRecords: record.values.map((Value) => ({ Value })),
  };
}

/** undefined for what we do not manage: other types, aliases, weighted and such records. */
function toRecord(set: ResourceRecordSet): DnsRecord | undefined {
  const type = types.find((known) => known === set.Type);
  if (type === undefined || set.TTL === undefined || set.SetIdentifier !== undefined) return undefined;
  return {
    // Route 53 writes `*` as an octal escape.
    name: (set.Name ?? '').replace(/\.$/, '').replaceAll(String.raw`\052`, '*').toLowerCase(),
    type,
    ttlSeconds: set.TTL,
    values: (set.ResourceRecords ?? []).flatMap(({ Value }) => Value ?? []),
  };
}

function recordIdentity(record: DnsRecord): string {
  return JSON.stringify([record.name, record.type, record.ttlSeconds, record.values.toSorted()]);
}
