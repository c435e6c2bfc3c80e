/** GTID arithmetic against naive models: explicit sets for MySQL, histories for MariaDB. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { algebraOf } from '../../../controller/database/gtid.ts';

const a = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const b = '4b2c9d10-0000-11ef-8000-00000000000b';

describe('MySQL', () => {
  const { normalize, union, subtract, contains, compare } = algebraOf('MySQL');

  it.each([
    ['nothing', '', ''],
    ['one number', `${a}:7`, `${a}:7`],
    ['a number written as an interval', `${a}:7-7`, `${a}:7`],
    ['intervals that touch or overlap', `${a}:4-6:1-3:6-9:11`, `${a}:1-9:11`],
    ['upper case and line breaks', ` ${b.toUpperCase()}:1-2,\n${a}:5\n`, `${a}:5,${b}:1-2`],
    ['one server twice', `${a}:1-3,${b}:1,${a}:4`, `${a}:1-4,${b}:1`],
    ['numbers beyond 2^53', `${a}:9007199254740993-9223372036854775806`, undefined],
    ['a tag', `${a}:Blue:3-9`, `${a}:blue:3-9`],
    ['tags behind what has none', `${a}:red:4-5:1-3:blue:7,${a}:1-2`, `${a}:1-2:blue:7:red:1-5`],
    ['a tag that could be hexadecimal', `${a}:face:1`, `${a}:face:1`],
  ])('writes %s in one way', (_, text, canonical = text) => {
    expect(normalize(text)).toBe(canonical);
  });

  it.each([
    'x:1',
    a,
    `${a}:`,
    `${a}:0`,
    `${a}:5-3`,
    `${a}:1-`,
    `${a}:tag`,
    `${a}:one:two:1`,
    `${a}:1:tag`,
    `${a}:9t:1`,
    `${a}:9223372036854775807`,
    '0-1-5',
  ])('refuses `%s`', (text) => {
    expect(() => normalize(text)).toThrow(/is no GTID set of MySQL/);
  });

  it('keeps tags apart', () => {
    expect(contains(`${a}:1-5`, `${a}:tag:1`)).toBe(false);
    expect(subtract(`${a}:1-9:tag:1-9`, `${a}:3-4:tag:9`)).toBe(`${a}:1-2:5-9:tag:1-8`);
    expect(compare(`${a}:1-9`, `${a}:1-8:tag:1`)).toBe('Diverged');
  });

  it('counts what is missing', () => {
    const { countMissing } = algebraOf('MySQL');
    expect(countMissing(`${a}:1-9:tag:1-9,${b}:5`, `${a}:3-4:tag:9`)).toBe(7 + 8 + 1);
    expect(countMissing(`${a}:3`, `${a}:1-9`)).toBe(0);
  });

  it('does not confuse numbers that are equal as floats', () => {
    expect(subtract(`${a}:1-9007199254740993`, `${a}:1-9007199254740992`)).toBe(`${a}:9007199254740993`);
  });

  const element = fc.tuple(fc.constantFrom(a, b, `${a}:red`, `${b}:blue`), fc.integer({ min: 1, max: 12 }));
  const elements = fc.uniqueArray(element.map((pair) => pair.join(':')));
  /** One text of many that mean these elements. */
  const written = (chosen: readonly string[]) =>
    chosen.map((one, index) => (index % 3 === 0 ? one.toUpperCase() : one)).join(',\n');
  const model = (left: readonly string[], right: readonly string[]) => ({
    ahead: left.filter((one) => !right.includes(one)),
    behind: right.filter((one) => !left.includes(one)),
  });

  it('agrees with explicit sets', () => {
    fc.assert(
      fc.property(elements, elements, (left, right) => {
        const [leftText, rightText] = [written(left), written(right)];
        const { ahead, behind } = model(left, right);
        expect(union(leftText, rightText)).toBe(normalize([...left, ...behind].join(',')));
        expect(subtract(leftText, rightText)).toBe(normalize(ahead.join(',')));
        expect(contains(leftText, rightText)).toBe(behind.length === 0);
        const words = ['Equal', 'Ahead', 'Behind', 'Diverged'] as const;
        const index = (ahead.length > 0 ? 1 : 0) + (behind.length > 0 ? 2 : 0);
        expect(compare(leftText, rightText)).toBe(words[index]);
      }),
      { numRuns: 500 },
    );
  });

  it('writes the same set the same, however it was put together', () => {
    fc.assert(
      fc.property(elements, fc.infiniteStream(fc.boolean()), (chosen, coins) => {
        const [left, right]: [string[], string[]] = [[], []];
        for (const one of chosen) (coins.next().value ? left : right).push(one);
        expect(union(written(left), written(right))).toBe(normalize(chosen.toReversed().join(',')));
      }),
    );
  });
});

describe('MariaDB', () => {
  const { normalize, union, subtract, contains, compare } = algebraOf('MariaDB');

  it('counts what is missing', () => {
    const { countMissing } = algebraOf('MariaDB');
    expect(countMissing('0-1-9,2-1-5', '0-7-4')).toBe(5 + 5);
    expect(countMissing('0-1-9', '0-1-12')).toBe(0);
  });

  it.each([
    ['nothing', '', ''],
    ['a position', '0-1-5', '0-1-5'],
    ['domains in order of their number', '10-1-3, 2-1-4\n', '2-1-4,10-1-3'],
    ['the last of all servers of a domain, as in gtid_binlog_state', '0-1-100,0-2-99,0-3-101', '0-3-101'],
    ['both sides of a fork', '0-2-7,0-1-7', '0-1-7,0-2-7'],
    ['the largest numbers', '4294967295-4294967295-18446744073709551615', undefined],
  ])('writes %s in one way', (_, text, canonical = text) => {
    expect(normalize(text)).toBe(canonical);
  });

  it.each(['0-1', '0-1-x', '0-1-18446744073709551616', '4294967296-1-1', `${a}:1`, '-1-1-1'])(
    'refuses `%s`',
    (text) => {
      expect(() => normalize(text)).toThrow(/is no GTID position of MariaDB/);
    },
  );

  it.each([
    ['0-1-5', '0-1-5', 'Equal'],
    ['0-2-6', '0-1-5', 'Ahead'],
    ['', '0-1-5', 'Behind'],
    ['0-1-5', '0-2-5', 'Diverged'],
    ['0-1-5,1-9-1', '0-1-6', 'Diverged'],
    ['0-1-9007199254740993', '0-1-9007199254740992', 'Ahead'],
  ])('%j to %j is %s', (left, right, comparison) => {
    expect(compare(left, right)).toBe(comparison);
  });

  it('has no server that holds both sides of a fork', () => {
    const all = union('0-1-5', '0-2-5');
    expect([contains(all, '0-1-5'), contains('0-1-5', all), contains('0-2-5', all)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('says what is ahead', () => {
    expect(subtract('0-1-8,1-9-1', '0-1-6,2-1-1')).toBe('0-1-8,1-9-1');
    expect(subtract('0-1-6', '0-2-8')).toBe('');
  });

  // One history per domain: who wrote which number. A position is a prefix of each.
  const writers = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 8 });
  const histories = fc.array(writers, { minLength: 1, maxLength: 3 });
  const cuts = fc.array(fc.nat(8), { minLength: 3, maxLength: 3 });

  it('agrees with prefixes of one history', () => {
    fc.assert(
      fc.property(histories, cuts, cuts, (domains, leftCuts, rightCuts) => {
        const lengths = (cut: readonly number[]) =>
          domains.map((history, domain) => Math.min(cut[domain]!, history.length));
        const text = (upTo: readonly number[]) =>
          upTo
            .flatMap((length, domain) =>
              domains[domain]!.slice(0, length).map((server, index) => `${domain}-${server}-${index + 1}`),
            )
            .join(',');
        const [left, right] = [lengths(leftCuts), lengths(rightCuts)];
        const most = left.map((length, domain) => Math.max(length, right[domain]!));
        const isAhead = left.some((length, domain) => length > right[domain]!);
        const isBehind = left.some((length, domain) => length < right[domain]!);
        expect(union(text(left), text(right))).toBe(normalize(text(most)));
        expect(contains(text(left), text(right))).toBe(!isBehind);
        expect(subtract(text(left), text(right)) === '').toBe(!isAhead);
        expect(union(subtract(text(left), text(right)), text(right))).toBe(normalize(text(most)));
        const words = ['Equal', 'Ahead', 'Behind', 'Diverged'] as const;
        expect(compare(text(left), text(right))).toBe(words[(isAhead ? 1 : 0) + (isBehind ? 2 : 0)]);
      }),
      { numRuns: 500 },
    );
  });
});
