/** Record sets: names, what values each type takes, and Route 53's order. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import type { RecordSet } from '../../world/model.ts';

const MAX_TTL = 2_147_483_647;

/** Types the lab keeps and answers, with the check of one value. */
const VALUE_RULES: Readonly<
  Record<string, { readonly test: (value: string) => boolean; readonly why: string }>
> = {
  A: { test: isIPv4, why: 'ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)' },
  AAAA: { test: isIPv6, why: 'AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)' },
  CNAME: { test: isDomain, why: 'DomainLabelEmpty (Value is not a valid domain name)' },
  NS: { test: isDomain, why: 'DomainLabelEmpty (Value is not a valid domain name)' },
  PTR: { test: isDomain, why: 'DomainLabelEmpty (Value is not a valid domain name)' },
  MX: {
    test: (value) => /^\d{1,5} \S+$/.test(value),
    why: 'MXRRDATANotTwoFields (Value must be a priority and a name)',
  },
  SRV: {
    test: (value) => /^\d{1,5} \d{1,5} \d{1,5} \S+$/.test(value),
    why: 'SRVRRDATANotFourFields (Value must be priority, weight, port and a name)',
  },
  TXT: {
    test: (value) => /^"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*$/.test(value),
    why: 'InvalidCharacterString (Value should be enclosed in quotation marks)',
  },
  SOA: {
    test: (value) => value.split(' ').length === 7,
    why: 'SOARRDATANotSevenFields (Value must have seven fields)',
  },
};

/** Lower case, closing dot, and `*` as Route 53 shows it: `\052`. */
export function normalName(name: string): string {
  const lower = name.toLowerCase().replaceAll('*', '\\052');
  return lower.endsWith('.') ? lower : `${lower}.`;
}

/** Equal for records that replace each other; the name must be normal. */
export function recordKey({ name, type }: Pick<RecordSet, 'name' | 'type'>): string {
  return `${name} ${type}`;
}

/** What is wrong with a record set by itself; undefined when nothing. */
export function recordProblem(record: RecordSet): string | undefined {
  const rule = VALUE_RULES[record.type];
  if (!rule) return `Invalid Resource Record: the lab does not know the type '${record.type}'`;
  if (!(record.ttl >= 0 && record.ttl <= MAX_TTL)) return `Invalid TTL for '${record.name}'`;
  if (record.values.length === 0)
    return `Invalid request: Missing field 'ResourceRecords' for '${record.name}'`;
  if (record.type === 'CNAME' && record.values.length > 1) {
    return `Invalid Resource Record: 'CNAME ${record.name}' must have a single value`;
  }
  const bad = record.values.find((value) => !rule.test(value));
  return bad === undefined
    ? undefined
    : `Invalid Resource Record: 'FATAL problem: ${rule.why} encountered with '${bad}''`;
}

/** Route 53's order: by labels from the right, then by type. */
export function compareRecords(
  a: Pick<RecordSet, 'name' | 'type'>,
  b: Pick<RecordSet, 'name' | 'type'>,
): number {
  return compare(reversed(a.name), reversed(b.name)) || compare(a.type, b.type);
}

function reversed(name: string): string {
  return name.split('.').toReversed().join('.');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isDomain(value: string): boolean {
  return /^(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?$/.test(value);
}
