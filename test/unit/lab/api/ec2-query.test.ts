/** Query parameters, filters, pages, throttling. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyFilters } from '../../../../lab/api/ec2/filters.ts';
import { paginate } from '../../../../lab/api/ec2/paging.ts';
import { Throttle } from '../../../../lab/api/ec2/throttle.ts';
import { QueryParams } from '../../../../lab/api/query-params.ts';
import { Faults } from '../../../../lab/world/faults.ts';
import { openWorld } from '../world/world-fixture.ts';

const limits = { min: 1, max: 1000 };
const code = (value: string) => expect.objectContaining({ code: value }) as Error;

describe('QueryParams', () => {
  test('lists are ordered by number, not by text', () => {
    const params = QueryParams.parse('Id.10=c&Id.2=b&Id.1=a');
    expect(params.list('Id')).toEqual(['a', 'b', 'c']);
  });

  test('structures nest', () => {
    const [filter] = QueryParams.parse('Filter.1.Name=n&Filter.1.Value.1=x&Filter.1.Value.2=y').structs(
      'Filter',
    );
    expect([filter?.string('Name'), filter?.list('Value')]).toEqual(['n', ['x', 'y']]);
  });

  test('equal parameters are equal text in any order', () => {
    const [a, b] = ['A=1&B=2&DryRun=true', 'B=2&A=1'].map((body) =>
      QueryParams.parse(body).canonical(['DryRun']),
    );
    expect(a).toBe(b);
  });

  test('what is missing or malformed is told', () => {
    const params = QueryParams.parse('N=1x&B=yes');
    expect(() => params.required('Gone')).toThrow(code('MissingParameter'));
    expect(() => params.integer('N')).toThrow(code('InvalidParameterValue'));
    expect(() => params.boolean('B')).toThrow(code('InvalidParameterValue'));
  });
});

describe('filters', () => {
  const records = [
    { id: 'i-1', tags: { Name: 'web-1', env: 'prod' } },
    { id: 'i-2', tags: { Name: 'web-2' } },
    { id: 'i-3', tags: { Name: 'db.1*' } },
  ];
  const find = (...filters: readonly (readonly [string, ...string[]])[]) => {
    const pairs = filters.flatMap(([name, ...values], n) => [
      [`Filter.${n + 1}.Name`, name],
      ...values.map((value, v) => [`Filter.${n + 1}.Value.${v + 1}`, value]),
    ]);
    const params = new QueryParams(new Map(pairs as [string, string][]));
    return applyFilters(params, records, { id: (record) => [record.id] }).map(({ id }) => id);
  };

  test.each([
    [[['tag:Name', 'web-*']], ['i-1', 'i-2']],
    [
      [
        ['tag:Name', 'web-?'],
        ['tag:env', 'prod'],
      ],
      ['i-1'],
    ],
    [[['tag:Name', 'web-1', 'web-2']], ['i-1', 'i-2']],
    [[['tag-key', 'env']], ['i-1']],
    [[['tag:Name', 'db.1\\*']], ['i-3']],
    [[['tag:Name', 'db?1*']], ['i-3']],
    [[['tag:Name', 'dbx1*']], []],
    [[['id', 'i-2']], ['i-2']],
    [[['tag:Name', 'WEB-1']], []],
  ] as const)('%j finds %j', (filters, ids) => expect(find(...filters)).toEqual(ids));

  test('an unknown filter and too many values are refused', () => {
    expect(() => find(['nope', 'x'])).toThrow(code('InvalidParameterValue'));
    expect(() => find(['id', ...Array.from({ length: 201 }, String)])).toThrow(code('FilterLimitExceeded'));
  });
});

describe('paginate', () => {
  test('pages joined are the whole, for any size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 }), (count, size) => {
        const records = Array.from({ length: count }, (_, n) => ({ id: `r${n}` }));
        const seen: { readonly id: string }[] = [];
        for (let token: string | undefined = ''; token !== undefined; ) {
          const next: string = token ? `&NextToken=${token}` : '';
          const page = paginate(QueryParams.parse(`MaxResults=${size}${next}`), records, limits);
          seen.push(...page.records);
          token = page.nextToken;
        }
        expect(seen).toEqual(records);
      }),
    );
  });

  test('records that went between pages neither repeat nor hide others', () => {
    const records = Array.from({ length: 6 }, (_, n) => ({ id: `r${n}` }));
    const first = paginate(QueryParams.parse('MaxResults=3'), records, limits);
    const rest = records.filter(({ id }) => id !== 'r0');
    const second = paginate(QueryParams.parse(`MaxResults=3&NextToken=${first.nextToken}`), rest, limits);
    expect(second.records.map(({ id }) => id)).toEqual(['r3', 'r4', 'r5']);
  });

  test('a bad size or token is refused', () => {
    const ask = (query: string) => paginate(QueryParams.parse(query), [], { min: 5, max: 1000 });
    for (const query of ['MaxResults=4', 'MaxResults=1001', 'NextToken=nonsense']) {
      expect(() => ask(query)).toThrow(code('InvalidParameterValue'));
    }
  });
});

describe('throttle', () => {
  test('off without a fault; with one, the documented bucket empties and fills again', () => {
    let now = 0;
    const faults = new Faults(openWorld());
    const throttle = new Throttle(faults, () => now);
    for (let n = 0; n < 500; n += 1) throttle.admit('RunInstances');
    faults.add({ kind: 'throttle', scale: 1 });
    for (let n = 0; n < 5; n += 1) throttle.admit('RunInstances');
    expect(() => throttle.admit('RunInstances')).toThrow(code('RequestLimitExceeded'));
    throttle.admit('DescribeInstances');
    now += 1000;
    throttle.admit('RunInstances');
    throttle.admit('RunInstances');
    expect(() => throttle.admit('RunInstances')).toThrow(code('RequestLimitExceeded'));
  });
});
