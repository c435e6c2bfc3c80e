/** DNS messages on the wire (RFC 1035): one question in, answers out. Pure. */
import { isIPv6 } from 'node:net';

export const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};

export const RCODE = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;

export interface Question {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case with the closing dot. */
  readonly name: string;
  readonly type: number;
  /** The question section as it came, echoed in the answer. */
  readonly section: Buffer;
}

export interface ResourceRecord {
  readonly name: string;
  readonly type: string;
  /** Seconds. */
  readonly ttl: number;
  /** In the text form of Route 53. */
  readonly value: string;
}

export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
}

const HEADER = 12;
const MAX_LABEL = 63;

/** Undefined when the message is no query of one question that can be read. */
export function readQuestion(message: Buffer): Question | undefined {
  if (message.length < HEADER + 5) return undefined;
  const flags = message.readUInt16BE(2);
  const isQuery = (flags & 0x8000) === 0 && ((flags >> 11) & 0xf) === 0;
  if (!isQuery || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > MAX_LABEL || at + length + 5 > message.length) return undefined;
    if (length === 0) break;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return {
    id: message.readUInt16BE(0),
    recursionDesired: (flags & 0x100) !== 0,
    name: `${labels.join('.').toLowerCase()}.`,
    type: message.readUInt16BE(at + 1),
    section: message.subarray(HEADER, at + 5),
  };
}

/** The reply; cut down to the header with the TC bit when longer than `limit` bytes. */
export function writeReply(question: Question, reply: Reply, limit: number): Buffer {
  const records = [...reply.answers, ...reply.authority].map(encodeRecord);
  const whole = Buffer.concat([
    header(question, reply, { answers: reply.answers.length, authority: reply.authority.length, cut: false }),
    question.section,
    ...records,
  ]);
  if (whole.length <= limit) return whole;
  return Buffer.concat([header(question, reply, { answers: 0, authority: 0, cut: true }), question.section]);
}

function header(
  question: Question,
  { rcode, authoritative }: Reply,
  counts: { readonly answers: number; readonly authority: number; readonly cut: boolean },
): Buffer {
  const bytes = Buffer.alloc(HEADER);
  const flags =
    0x8000 |
    (authoritative ? 0x400 : 0) |
    (counts.cut ? 0x200 : 0) |
    (question.recursionDesired ? 0x100 : 0) |
    rcode;
  bytes.writeUInt16BE(question.id, 0);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(counts.answers, 6);
  bytes.writeUInt16BE(counts.authority, 8);
  return bytes;
}

function encodeRecord({ name, type, ttl, value }: ResourceRecord): Buffer {
  const data = encodeData(type, value);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[type] ?? 0, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .replaceAll('\\052', '*')
    .split('.')
    .filter((label) => label !== '');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.alloc(1),
  ]);
}

function encodeData(type: string, value: string): Buffer {
  const fields = value.split(' ');
  switch (type) {
    case 'A':
      return Buffer.from(value.split('.').map(Number));
    case 'AAAA':
      return encodeIPv6(value);
    case 'TXT':
      return encodeTexts(value);
    case 'SOA':
      return Buffer.concat([
        encodeName(fields[0] ?? ''),
        encodeName(fields[1] ?? ''),
        numbers(fields.slice(2), 4),
      ]);
    case 'MX':
      return Buffer.concat([numbers(fields.slice(0, 1), 2), encodeName(fields[1] ?? '')]);
    case 'SRV':
      return Buffer.concat([numbers(fields.slice(0, 3), 2), encodeName(fields[3] ?? '')]);
    default:
      return encodeName(value);
  }
}

function numbers(fields: readonly string[], width: 2 | 4): Buffer {
  const bytes = Buffer.alloc(fields.length * width);
  for (const [index, field] of fields.entries()) bytes.writeUIntBE(Number(field), index * width, width);
  return bytes;
}

/** `"one" "two"`: each quoted text is one character string of at most 255 bytes. */
function encodeTexts(value: string): Buffer {
  const texts = [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) =>
    (match[1] ?? '').replace(/\\(.)/g, '$1'),
  );
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text).subarray(0, 255);
      return [Buffer.from([bytes.length]), bytes];
    }),
  );
}

function encodeIPv6(value: string): Buffer {
  if (!isIPv6(value)) return Buffer.alloc(16);
  const [head = '', tail] = value.split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return numbers(
    [...before, ...zeros, ...after].map((group) => String(Number.parseInt(group, 16))),
    2,
  );
}

function groups(text: string): readonly string[] {
  return text === '' ? [] : text.split(':');
}
