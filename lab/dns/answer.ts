/** What the name server answers: the zones as they are in sync, and the private names of EC2. Pure. */
import { formatAddress, parseAddress } from '../world/ipv4.ts';
import type { RecordSet, Zone } from '../world/model.ts';
import { type Question, RCODE, type Reply, type ResourceRecord, TYPES } from './message.ts';

const MAX_CNAMES = 8;
const PRIVATE_NAME = /^ip-(\d+)-(\d+)-(\d+)-(\d+)\.ec2\.internal\.$/;
const PRIVATE_TTL_SECONDS = 60;

/** Follows CNAMEs as far as these zones go. A name outside them is refused: this server asks nobody else. */
export function answerQuestion(question: Question, zones: Iterable<Zone>): Reply {
  const known = [...zones];
  const answers: ResourceRecord[] = [];
  let { name } = question;
  for (let step = 0; step < MAX_CNAMES; step += 1) {
    const found = lookUp(name, question.type, known);
    if (!found) break;
    answers.push(...found.records);
    if (!found.alias) return { rcode: found.rcode, authoritative: true, answers, authority: found.authority };
    name = found.alias;
  }
  // The chain left our zones: what we know of it is the answer.
  const rcode = answers.length > 0 ? RCODE.ok : RCODE.refused;
  return { rcode, authoritative: answers.length > 0, answers, authority: [] };
}

interface Found {
  readonly records: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly rcode: number;
  /** The name to go on with. */
  readonly alias?: string;
}

function lookUp(name: string, type: number, zones: readonly Zone[]): Found | undefined {
  const privateAnswer = lookUpPrivate(name, type);
  if (privateAnswer) return privateAnswer;
  const zone = zones
    .filter((one) => name === one.name || name.endsWith(`.${one.name}`))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  if (!zone) return undefined;
  const sets = setsOf(zone, name);
  const exact = sets.filter((set) => TYPES[set.type] === type);
  const cname = sets.find((set) => set.type === 'CNAME');
  if (exact.length === 0 && cname) {
    const alias = cname.values[0] ?? '';
    return {
      records: toRecords(name, [cname]),
      authority: [],
      rcode: RCODE.ok,
      alias: alias.endsWith('.') ? alias : `${alias}.`,
    };
  }
  if (exact.length > 0) return { records: toRecords(name, exact), authority: [], rcode: RCODE.ok };
  const exists = sets.length > 0 || hasBelow(zone, name);
  return { records: [], authority: soaOf(zone), rcode: exists ? RCODE.ok : RCODE.nameError };
}

function lookUpPrivate(name: string, type: number): Found | undefined {
  const match = PRIVATE_NAME.exec(name);
  if (!match) return undefined;
  const address = parseAddress(match.slice(1).join('.'));
  if (address === undefined) return { records: [], authority: [], rcode: RCODE.nameError };
  const record = { name, type: 'A', ttl: PRIVATE_TTL_SECONDS, value: formatAddress(address) };
  return { records: type === TYPES['A'] ? [record] : [], authority: [], rcode: RCODE.ok };
}

/** The record sets of a name, else those of the nearest wildcard above it. */
function setsOf(zone: Zone, name: string): readonly RecordSet[] {
  const all = Object.values(zone.records);
  const own = all.filter((set) => set.name === name);
  if (own.length > 0 || hasBelow(zone, name)) return own;
  for (
    let parent = name.slice(name.indexOf('.') + 1);
    parent.endsWith(zone.name);
    parent = parent.slice(parent.indexOf('.') + 1)
  ) {
    const wild = all.filter((set) => set.name === `\\052.${parent}`);
    if (wild.length > 0) return wild;
    if (parent === zone.name) break;
  }
  return [];
}

/** An empty name above existing ones exists too (RFC 8020). */
function hasBelow(zone: Zone, name: string): boolean {
  return Object.values(zone.records).some((set) => set.name.endsWith(`.${name}`));
}

function soaOf(zone: Zone): readonly ResourceRecord[] {
  const soa = Object.values(zone.records).find((set) => set.type === 'SOA');
  if (!soa) return [];
  // The stored serial is the one of birth; each batch has raised it since.
  const [primary = '', mailbox = '', , ...times] = (soa.values[0] ?? '').split(' ');
  return [
    {
      name: zone.name,
      type: 'SOA',
      ttl: soa.ttl,
      value: [primary, mailbox, zone.serial, ...times].join(' '),
    },
  ];
}

function toRecords(name: string, sets: readonly RecordSet[]): readonly ResourceRecord[] {
  return sets.flatMap(({ type, ttl, values }) => values.map((value) => ({ name, type, ttl, value })));
}
