/** Route 53: hosted zones, change batches and their progress, over REST and XML. */
import { CloudError } from '../../world/cloud-error.ts';
import type { DnsChange, Zone } from '../../world/model.ts';
import type { World } from '../../world/world.ts';
import type { XmlService } from '../front-door.ts';
import type { Answer, Exchange } from '../http-exchange.ts';
import { writeXml, type XmlObject } from '../xml.ts';
import { changeXml, readChangeBatch, readZoneOrder, recordXml, zoneXml } from './bodies.ts';
import { applyChanges } from './change-batch.ts';
import { compareRecords, normalName } from './records.ts';
import { createZone, NAME_SERVER } from './zones.ts';

const NAMESPACE = 'https://route53.amazonaws.com/doc/2013-04-01/';
const MAX_RECORDS_PER_PAGE = 300;
const MAX_ZONES_PER_PAGE = 100;

interface Request {
  readonly query: URLSearchParams;
  readonly body: string;
  /** The id in the path; empty where the path has none. */
  readonly id: string;
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly action: string;
}

const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^hostedzone$/, action: 'CreateHostedZone' },
  { method: 'GET', path: /^hostedzone$/, action: 'ListHostedZones' },
  { method: 'GET', path: /^hostedzonesbyname$/, action: 'ListHostedZonesByName' },
  { method: 'GET', path: /^hostedzone\/([^/]+)$/, action: 'GetHostedZone' },
  { method: 'DELETE', path: /^hostedzone\/([^/]+)$/, action: 'DeleteHostedZone' },
  { method: 'POST', path: /^hostedzone\/([^/]+)\/rrset$/, action: 'ChangeResourceRecordSets' },
  { method: 'GET', path: /^hostedzone\/([^/]+)\/rrset$/, action: 'ListResourceRecordSets' },
  { method: 'GET', path: /^change\/([^/]+)$/, action: 'GetChange' },
];

/** Changes are in sync `syncDelayMs` after they were made. */
export class Route53Service implements XmlService {
  readonly #world: World;
  readonly #syncDelayMs: number;
  readonly #handlers: Readonly<Record<string, (request: Request) => XmlObject>>;

  /** `syncDelayMs`: how long a change is PENDING. */
  constructor(world: World, syncDelayMs: number) {
    this.#world = world;
    this.#syncDelayMs = syncDelayMs;
    this.#handlers = {
      CreateHostedZone: (request) => this.#createZone(request),
      ListHostedZones: (request) => this.#listZones(request),
      ListHostedZonesByName: (request) => this.#listZonesByName(request),
      GetHostedZone: ({ id }) => ({ HostedZone: zoneXml(this.#zone(id)), ...delegation() }),
      DeleteHostedZone: (request) => this.#deleteZone(request),
      ChangeResourceRecordSets: (request) => this.#changeRecords(request),
      ListResourceRecordSets: (request) => this.#listRecords(request),
      GetChange: ({ id }) => ({ ChangeInfo: changeXml(this.#change(id), this.#world.now()) }),
    };
  }

  action(exchange: Exchange): string {
    return route(exchange).action;
  }

  answer(exchange: Exchange, body: string, action: string): Answer {
    const { id } = route(exchange);
    const content = this.#handlers[action]?.({ query: exchange.query, body, id }) ?? {};
    const created = action === 'CreateHostedZone';
    const name = `${action}Response`;
    return {
      status: created ? 201 : 200,
      xml: `<${name} xmlns="${NAMESPACE}">${writeXml(content)}</${name}>`,
      ...(created ? { headers: { location: `/2013-04-01${idOf(content)}` } } : {}),
    };
  }

  error({ code, message, status }: CloudError, requestId: string): string {
    const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message };
    return `<ErrorResponse xmlns="${NAMESPACE}">${writeXml({ Error: error, RequestId: requestId })}</ErrorResponse>`;
  }

  #createZone({ body }: Request): XmlObject {
    const order = readZoneOrder(body);
    const zones = [...this.#world.state.zones.values()];
    if (zones.some((zone) => zone.callerReference === order.callerReference)) {
      throw new CloudError(
        'HostedZoneAlreadyExists',
        'A hosted zone has been created with this caller reference.',
        409,
      );
    }
    const draft = this.#world.draft();
    const zone = createZone(draft, order);
    const change = this.#newChange(draft.dnsId('C'), zone.id, '');
    draft.put('dnsChanges', change.id, change);
    this.#world.commit(draft, { name: 'zone.created', subject: zone.id, detail: { name: zone.name } });
    return { HostedZone: zoneXml(zone), ChangeInfo: changeXml(change, this.#world.now()), ...delegation() };
  }

  #deleteZone({ id }: Request): XmlObject {
    const zone = this.#zone(id);
    if (Object.keys(zone.records).length > 2) {
      throw new CloudError(
        'HostedZoneNotEmpty',
        'The specified hosted zone contains non-required resource record sets and so cannot be deleted.',
      );
    }
    const draft = this.#world.draft();
    const change = this.#newChange(draft.dnsId('C'), zone.id, '');
    draft.remove('zones', zone.id);
    draft.put('dnsChanges', change.id, change);
    this.#world.commit(draft, { name: 'zone.deleted', subject: zone.id });
    return { ChangeInfo: changeXml(change, this.#world.now()) };
  }

  #listZones({ query }: Request): XmlObject {
    const zones = [...this.#world.state.zones.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const marker = query.get('marker');
    const page = paged(marker ? zones.filter((zone) => zone.id >= marker) : zones, query, MAX_ZONES_PER_PAGE);
    return {
      HostedZones: { HostedZone: page.records.map(zoneXml) },
      Marker: marker ?? undefined,
      IsTruncated: page.next !== undefined,
      NextMarker: page.next?.id,
      MaxItems: page.size,
    };
  }

  #listZonesByName({ query }: Request): XmlObject {
    const start = query.get('dnsname');
    const id = query.get('hostedzoneid') ?? '';
    const from = start ? { name: normalName(start), type: id } : undefined;
    const zones = [...this.#world.state.zones.values()]
      .filter((zone) => !from || compareRecords({ name: zone.name, type: zone.id }, from) >= 0)
      .toSorted((a, b) => compareRecords({ name: a.name, type: a.id }, { name: b.name, type: b.id }));
    const page = paged(zones, query, MAX_ZONES_PER_PAGE);
    return {
      HostedZones: { HostedZone: page.records.map(zoneXml) },
      DNSName: start ?? undefined,
      HostedZoneId: id || undefined,
      IsTruncated: page.next !== undefined,
      NextDNSName: page.next?.name,
      NextHostedZoneId: page.next?.id,
      MaxItems: page.size,
    };
  }

  #changeRecords({ id, body }: Request): XmlObject {
    const zone = this.#zone(id);
    const { changes, comment } = readChangeBatch(body);
    const records = applyChanges(zone, changes);
    const draft = this.#world.draft();
    const change = this.#newChange(draft.dnsId('C'), zone.id, comment);
    draft.put('zones', zone.id, { ...zone, records, serial: zone.serial + 1 });
    draft.put('dnsChanges', change.id, change);
    this.#world.commit(draft, { name: 'zone.changed', subject: zone.id, detail: { changes } });
    return { ChangeInfo: changeXml(change, this.#world.now()) };
  }

  #listRecords({ id, query }: Request): XmlObject {
    const zone = this.#zone(id);
    const name = query.get('name');
    const from = name ? { name: normalName(name), type: query.get('type') ?? '' } : undefined;
    const records = Object.values(zone.records)
      .filter((record) => !from || compareRecords(record, from) >= 0)
      .toSorted(compareRecords);
    const page = paged(records, query, MAX_RECORDS_PER_PAGE);
    return {
      ResourceRecordSets: { ResourceRecordSet: page.records.map(recordXml) },
      IsTruncated: page.next !== undefined,
      NextRecordName: page.next?.name,
      NextRecordType: page.next?.type,
      MaxItems: page.size,
    };
  }

  #newChange(id: string, zoneId: string, comment: string): DnsChange {
    const now = this.#world.now();
    return { id, zoneId, submittedAt: now, inSyncAt: now + this.#syncDelayMs, comment };
  }

  #zone(id: string): Zone {
    const zone = this.#world.state.zones.get(id);
    if (!zone) throw new CloudError('NoSuchHostedZone', `No hosted zone found with ID: ${id}`, 404);
    return zone;
  }

  #change(id: string): DnsChange {
    const change = this.#world.state.dnsChanges.get(id);
    if (!change) throw new CloudError('NoSuchChange', `Could not find resource with ID: ${id}`, 404);
    return change;
  }
}

function route({ signed }: Exchange): { readonly action: string; readonly id: string } {
  const path = signed.path.replace(/^\/2013-04-01\//, '').replace(/\/$/, '');
  for (const { method, path: pattern, action } of ROUTES) {
    const match = method === signed.method ? pattern.exec(path) : null;
    if (match) return { action, id: decodeURIComponent(match[1] ?? '') };
  }
  throw new CloudError('InvalidAction', `The lab's Route 53 has no ${signed.method} ${signed.path}`, 404);
}

function delegation(): XmlObject {
  return { DelegationSet: { NameServers: { NameServer: NAME_SERVER.slice(0, -1) } } };
}

/** The first page, and the record the next one starts with. */
function paged<R>(
  records: readonly R[],
  query: URLSearchParams,
  max: number,
): { records: readonly R[]; next: R | undefined; size: number } {
  const asked = Number(query.get('maxitems') ?? max);
  if (!Number.isInteger(asked) || asked < 1) throw new CloudError('InvalidInput', 'Invalid MaxItems');
  const size = Math.min(asked, max);
  return { records: records.slice(0, size), next: records[size], size };
}

/** `/hostedzone/Z…` of the zone an answer shows. */
function idOf(content: XmlObject): string {
  const zone = content['HostedZone'] as { readonly Id: string };
  return zone.Id;
}
