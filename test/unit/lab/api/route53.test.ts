/** Change batches: AWS's rules, one refusal each, and all or nothing. */
import { describe, expect, test } from 'vitest';
import { applyChanges, type Change } from '../../../../lab/api/route53/change-batch.ts';
import { compareRecords } from '../../../../lab/api/route53/records.ts';
import { createZone } from '../../../../lab/api/route53/zones.ts';
import { Draft } from '../../../../lab/world/draft.ts';
import { emptyState } from '../../../../lab/world/state.ts';

const born = createZone(new Draft(emptyState(), 'seed', 0), {
  name: 'site.test.',
  callerReference: 'r',
  comment: '',
});
const TTL = 60;
const change = (action: Change['action'], name: string, type: string, values: readonly string[]): Change => ({
  action,
  record: { name, type, ttl: TTL, values },
});
const withTtl = (one: Change, ttl: number): Change => ({ ...one, record: { ...one.record, ttl } });
const zone = {
  ...born,
  records: applyChanges(born, [change('CREATE', 'db.site.test.', 'A', ['10.0.0.1', '10.0.0.2'])]),
};

describe('accepted', () => {
  test('UPSERT creates and replaces', () => {
    const records = applyChanges(zone, [
      withTtl(change('UPSERT', 'db.site.test.', 'A', ['10.0.0.9']), 5),
      change('UPSERT', 'new.site.test.', 'TXT', ['"v=1" "x"']),
    ]);
    expect(records['db.site.test. A']).toMatchObject({ ttl: 5, values: ['10.0.0.9'] });
    expect(records['new.site.test. TXT']).toBeDefined();
  });

  test('DELETE then CREATE of the same name in one batch', () => {
    const records = applyChanges(zone, [
      change('DELETE', 'db.site.test.', 'A', ['10.0.0.2', '10.0.0.1']),
      change('CREATE', 'db.site.test.', 'CNAME', ['other.site.test']),
    ]);
    expect(Object.keys(records)).not.toContain('db.site.test. A');
  });
});

describe('refused, and nothing is changed', () => {
  test.each([
    [
      'CREATE of what exists',
      change('CREATE', 'db.site.test.', 'A', ['10.0.0.3']),
      /Tried to create .*name='db\.site\.test\.', type='A'\] but it already exists/,
    ],
    [
      'DELETE of nothing',
      change('DELETE', 'no.site.test.', 'A', ['10.0.0.1']),
      /Tried to delete .* but it was not found/,
    ],
    [
      'DELETE with another value',
      change('DELETE', 'db.site.test.', 'A', ['10.0.0.1']),
      /values provided do not match the current values/,
    ],
    [
      'DELETE with another TTL',
      withTtl(change('DELETE', 'db.site.test.', 'A', ['10.0.0.1', '10.0.0.2']), 61),
      /do not match/,
    ],
    [
      'a foreign name',
      change('CREATE', 'db.other.test.', 'A', ['10.0.0.1']),
      /is not permitted in zone site\.test\./,
    ],
    [
      'a name that only ends alike',
      change('CREATE', 'xsite.test.', 'A', ['10.0.0.1']),
      /is not permitted in zone/,
    ],
    ['a bad address', change('UPSERT', 'a.site.test.', 'A', ['10.0.0.256']), /ARRDATAIllegalIPv4Address/],
    ['text without quotes', change('UPSERT', 'a.site.test.', 'TXT', ['bare']), /InvalidCharacterString/],
    [
      'CNAME beside others',
      change('CREATE', 'db.site.test.', 'CNAME', ['x.test']),
      /conflicts with other records/,
    ],
    ['CNAME at the apex', change('CREATE', 'site.test.', 'CNAME', ['x.test']), /not permitted at apex/],
    ['no values', change('UPSERT', 'a.site.test.', 'A', []), /Missing field 'ResourceRecords'/],
    [
      'the last NS',
      withTtl(change('DELETE', 'site.test.', 'NS', ['ns.lab.internal.']), 172_800),
      /must contain its NS/,
    ],
  ])('%s', (_, bad, message) => {
    const good = change('CREATE', 'fine.site.test.', 'A', ['10.0.0.1']);
    expect(() => applyChanges(zone, [good, bad])).toThrow(
      expect.objectContaining({
        code: 'InvalidChangeBatch',
        message: expect.stringMatching(message) as string,
      }),
    );
    expect(Object.keys(zone.records)).not.toContain('fine.site.test. A');
  });

  test('all complaints are told at once', () => {
    const bad = change('DELETE', 'no.site.test.', 'A', ['10.0.0.1']);
    expect(() => applyChanges(zone, [bad, change('CREATE', 'x.test.', 'A', ['1.1.1.1'])])).toThrow(
      /^\[.*not found, .*not permitted.*\]$/,
    );
  });
});

test('records are ordered by labels from the right', () => {
  const names = ['b.site.test.', 'site.test.', 'x.a.site.test.', 'a.site.test.'].map((name) => ({
    name,
    type: 'A',
  }));
  expect(names.toSorted(compareRecords).map(({ name }) => name)).toEqual([
    'site.test.',
    'a.site.test.',
    'x.a.site.test.',
    'b.site.test.',
  ]);
});
