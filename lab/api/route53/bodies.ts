/** Route 53's request bodies read, and its records, zones and changes written. */
import { CloudError } from '../../world/cloud-error.ts';
import type { DnsChange, RecordSet, Zone } from '../../world/model.ts';
import { childOf, childrenOf, parseXml, textOf, type XmlElement, type XmlObject } from '../xml.ts';
import type { Change } from './change-batch.ts';
import { normalName } from './records.ts';

/** Fields of a record set that choose among answers: policies the lab does not have. */
const ROUTING_FIELDS = [
  'SetIdentifier',
  'Weight',
  'Region',
  'Failover',
  'GeoLocation',
  'MultiValueAnswer',
  'AliasTarget',
];

export interface ZoneOrder {
  readonly name: string;
  readonly callerReference: string;
  readonly comment: string;
}

/** Throws a CloudError when the XML is not what the call needs. */
export function readZoneOrder(body: string): ZoneOrder {
  const root = requireRoot(body, 'CreateHostedZoneRequest');
  const config = childOf(root, 'HostedZoneConfig');
  return {
    name: normalName(requireText(root, 'Name')),
    callerReference: requireText(root, 'CallerReference'),
    comment: (config && textOf(config, 'Comment')) ?? '',
  };
}

/** Throws a CloudError on bad XML; whether the changes can be made is checked later. */
export function readChangeBatch(body: string): {
  readonly changes: readonly Change[];
  readonly comment: string;
} {
  const batch = requireChild(requireRoot(body, 'ChangeResourceRecordSetsRequest'), 'ChangeBatch');
  const changes = childrenOf(requireChild(batch, 'Changes'), 'Change').map(readChange);
  return { changes, comment: textOf(batch, 'Comment') ?? '' };
}

function readChange(element: XmlElement): Change {
  const action = requireText(element, 'Action');
  if (action !== 'CREATE' && action !== 'DELETE' && action !== 'UPSERT') {
    throw new CloudError('InvalidInput', `Invalid action '${action}': it must be CREATE, DELETE or UPSERT`);
  }
  const set = requireChild(element, 'ResourceRecordSet');
  const unsupported = ROUTING_FIELDS.find((field) => childOf(set, field));
  if (unsupported) throw new CloudError('InvalidInput', `The lab does not support '${unsupported}'`);
  const values = childOf(set, 'ResourceRecords');
  const record: RecordSet = {
    name: normalName(requireText(set, 'Name')),
    type: requireText(set, 'Type'),
    ttl: Number(textOf(set, 'TTL') ?? Number.NaN),
    values: values ? childrenOf(values, 'ResourceRecord').map((value) => requireText(value, 'Value')) : [],
  };
  return { action, record };
}

/** As `HostedZone`. */
export function zoneXml(zone: Zone): XmlObject {
  return {
    Id: `/hostedzone/${zone.id}`,
    Name: zone.name,
    CallerReference: zone.callerReference,
    Config: { Comment: zone.comment || undefined, PrivateZone: false },
    ResourceRecordSetCount: Object.keys(zone.records).length,
  };
}

/** As `ChangeInfo`; `now` decides between PENDING and INSYNC. */
export function changeXml(change: DnsChange, now: number): XmlObject {
  return {
    Id: `/change/${change.id}`,
    Status: now >= change.inSyncAt ? 'INSYNC' : 'PENDING',
    SubmittedAt: new Date(change.submittedAt),
    Comment: change.comment || undefined,
  };
}

/** As `ResourceRecordSet`. */
export function recordXml({ name, type, ttl, values }: RecordSet): XmlObject {
  return {
    Name: name,
    Type: type,
    TTL: ttl,
    ResourceRecords: { ResourceRecord: values.map((Value) => ({ Value })) },
  };
}

function requireRoot(body: string, name: string): XmlElement {
  const root = parseXml(body);
  if (root.name !== name) throw new CloudError('InvalidInput', `Expected <${name}>, not <${root.name}>`);
  return root;
}

function requireChild(element: XmlElement, name: string): XmlElement {
  const child = childOf(element, name);
  if (!child)
    throw new CloudError('InvalidInput', `Invalid request: Missing field '${name}' in ${element.name}`);
  return child;
}

function requireText(element: XmlElement, name: string): string {
  return requireChild(element, name).text;
}
