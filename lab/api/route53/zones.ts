/** A hosted zone at birth. Pure. */
import type { Draft } from '../../world/draft.ts';
import type { Zone } from '../../world/model.ts';
import type { ZoneOrder } from './bodies.ts';
import { recordKey } from './records.ts';

/** The lab's one name server. */
export const NAME_SERVER = 'ns.lab.internal.';
const SOA_TIMES = '7200 900 1209600 86400';

/** Writes a zone with the NS and SOA records every zone has into the draft. */
export function createZone(draft: Draft, order: ZoneOrder): Zone {
  const soa = `${NAME_SERVER} hostmaster.${order.name} 1 ${SOA_TIMES}`;
  const records = [
    { name: order.name, type: 'NS', ttl: 172_800, values: [NAME_SERVER] },
    { name: order.name, type: 'SOA', ttl: 900, values: [soa] },
  ];
  const zone: Zone = {
    ...order,
    id: draft.dnsId('Z'),
    serial: 1,
    records: Object.fromEntries(records.map((record) => [recordKey(record), record])),
  };
  draft.put('zones', zone.id, zone);
  return zone;
}
