/** ChangeResourceRecordSets: a batch is applied as a whole or not at all. Pure. */
import { CloudError } from '../../world/cloud-error.ts';
import type { RecordSet, Zone } from '../../world/model.ts';
import { recordKey, recordProblem } from './records.ts';

const MAX_CHANGES = 1000;

export interface Change {
  readonly action: 'CREATE' | 'DELETE' | 'UPSERT';
  readonly record: RecordSet;
}

/**
 * The zone's records after the changes, each seeing what those before it did.
 * @throws CloudError InvalidChangeBatch with every complaint
 */
export function applyChanges(zone: Zone, changes: readonly Change[]): Zone['records'] {
  if (changes.length === 0 || changes.length > MAX_CHANGES) {
    throw refused([`A batch has 1 to ${MAX_CHANGES} changes, not ${changes.length}`]);
  }
  const records = new Map(Object.entries(zone.records));
  const problems: string[] = [];
  for (const { action, record } of changes) {
    const problem = changeProblem(zone, records, action, record);
    if (problem) problems.push(problem);
    else if (action === 'DELETE') records.delete(recordKey(record));
    else records.set(recordKey(record), record);
  }
  if (problems.length > 0) throw refused(problems);
  return Object.fromEntries(records);
}

function changeProblem(
  zone: Zone,
  records: ReadonlyMap<string, RecordSet>,
  action: Change['action'],
  record: RecordSet,
): string | undefined {
  const named = `resource record set [name='${record.name}', type='${record.type}']`;
  if (record.name !== zone.name && !record.name.endsWith(`.${zone.name}`)) {
    return `RRSet with DNS name ${record.name} is not permitted in zone ${zone.name}`;
  }
  const current = records.get(recordKey(record));
  if (action !== 'DELETE') {
    if (action === 'CREATE' && current) return `Tried to create ${named} but it already exists`;
    return recordProblem(record) ?? cnameProblem(zone, records, record);
  }
  if (!current) return `Tried to delete ${named} but it was not found`;
  if (!sameRecord(current, record)) {
    return `Tried to delete ${named} but the values provided do not match the current values`;
  }
  const apex = record.name === zone.name && (record.type === 'SOA' || record.type === 'NS');
  return apex ? `A HostedZone must contain its ${record.type} record` : undefined;
}

function cnameProblem(
  zone: Zone,
  records: ReadonlyMap<string, RecordSet>,
  record: RecordSet,
): string | undefined {
  if (record.type === 'CNAME' && record.name === zone.name) {
    return `RRSet of type CNAME with DNS name ${record.name} is not permitted at apex in zone ${zone.name}`;
  }
  const clash = [...records.values()].some(
    ({ name, type }) =>
      name === record.name && type !== record.type && (type === 'CNAME' || record.type === 'CNAME'),
  );
  if (!clash) return undefined;
  return `RRSet of type ${record.type} with DNS name ${record.name} is not permitted as it conflicts with other records with the same DNS name in zone ${zone.name}`;
}

function sameRecord(a: RecordSet, b: RecordSet): boolean {
  return a.ttl === b.ttl && a.values.toSorted().join('\n') === b.values.toSorted().join('\n');
}

function refused(problems: readonly string[]): CloudError {
  return new CloudError('InvalidChangeBatch', `[${problems.join(', ')}]`);
}
