/** What the name server says, and how it writes it. */
import { describe, expect, test } from 'vitest';
import { answerQuestion } from '../../../../lab/dns/answer.ts';
import { readQuestion, TYPES, writeReply } from '../../../../lab/dns/message.ts';
import type { RecordSet, Zone } from '../../../../lab/world/model.ts';

const record = (name: string, type: string, ...values: string[]): [string, RecordSet] => [
  `${name} ${type}`,
  { name, type, ttl: 30, values },
];
const zone: Zone = {
  id: 'Z1',
  name: 'site.test.',
  callerReference: '',
  comment: '',
  serial: 7,
  records: Object.fromEntries([
    record('site.test.', 'SOA', 'ns.lab.internal. hostmaster.site.test. 1 7200 900 1209600 86400'),
    record('db.site.test.', 'A', '10.0.0.1', '10.0.0.2'),
    record('www.site.test.', 'CNAME', 'db.site.test'),
    record('out.site.test.', 'CNAME', 'elsewhere.example.'),
    record('a.deep.site.test.', 'TXT', '"hi \\"you\\"" "two"'),
    record('\\052.wild.site.test.', 'A', '10.0.0.9'),
    record('six.site.test.', 'AAAA', 'fd00::1:2'),
  ]),
};

function query(name: string, type: string): Buffer {
  const header = Buffer.from([0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name
    .split('.')
    .filter(Boolean)
    .flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.concat([header, Buffer.from([...labels, 0, 0, TYPES[type] ?? 0, 0, 1])]);
}

function ask(name: string, type: string) {
  const question = readQuestion(query(name, type));
  if (!question) throw new Error('unreadable');
  const reply = answerQuestion(question, [zone]);
  return {
    rcode: reply.rcode,
    answers: reply.answers.map(({ value }) => value),
    authority: reply.authority.map(({ value }) => value),
  };
}

const soa = ['ns.lab.internal. hostmaster.site.test. 7 7200 900 1209600 86400'];

describe('answers', () => {
  test.each([
    ['db.site.test', 'A', { rcode: 0, answers: ['10.0.0.1', '10.0.0.2'], authority: [] }],
    ['DB.Site.Test', 'A', { rcode: 0, answers: ['10.0.0.1', '10.0.0.2'], authority: [] }],
    ['www.site.test', 'A', { rcode: 0, answers: ['db.site.test', '10.0.0.1', '10.0.0.2'], authority: [] }],
    ['out.site.test', 'A', { rcode: 0, answers: ['elsewhere.example.'], authority: [] }],
    ['x.wild.site.test', 'A', { rcode: 0, answers: ['10.0.0.9'], authority: [] }],
    ['db.site.test', 'AAAA', { rcode: 0, answers: [], authority: soa }],
    ['deep.site.test', 'A', { rcode: 0, answers: [], authority: soa }],
    ['no.site.test', 'A', { rcode: 3, answers: [], authority: soa }],
    ['example.com', 'A', { rcode: 5, answers: [], authority: [] }],
    ['ip-10-77-32-4.ec2.internal', 'A', { rcode: 0, answers: ['10.77.32.4'], authority: [] }],
    ['ip-10-77-32-999.ec2.internal', 'A', { rcode: 3, answers: [], authority: [] }],
  ])('%s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));
});

describe('messages', () => {
  const write = (name: string, type: string, limit = 512) => {
    const question = readQuestion(query(name, type));
    if (!question) throw new Error('unreadable');
    return writeReply(question, answerQuestion(question, [zone]), limit);
  };

  test('an answer on the wire: id, flags, counts, records', () => {
    const bytes = write('db.site.test', 'A');
    expect(bytes.subarray(0, 12).toString('hex')).toBe('123485000001000200000000');
    expect(bytes.toString('hex')).toContain('00000100010000001e00040a000001');
  });

  test('text and IPv6 data', () => {
    expect(write('a.deep.site.test', 'TXT').toString('latin1')).toContain('\x08hi "you"\x03two');
    expect(write('six.site.test', 'AAAA').toString('hex')).toContain('fd000000000000000000000000010002');
  });

  test('too long an answer is cut and says so', () => {
    const bytes = write('db.site.test', 'A', 40);
    expect(bytes.readUInt16BE(2) & 0x200).toBe(0x200);
    expect(bytes.readUInt16BE(6)).toBe(0);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['an answer', Buffer.concat([Buffer.from([0, 1, 0x80]), query('a.b', 'A').subarray(3)])],
    ['a compression pointer', Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1])],
    ['a name cut short', query('abc.def', 'A').subarray(0, 18)],
  ])('%s is not a question', (_, bytes) => expect(readQuestion(bytes)).toBeUndefined());
});
