/** Each checker passes what is right and finds the violation that was planted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call, Operation } from '../../chaos/history.ts';
import { findOverlaps } from '../../chaos/overlap-checker.ts';
import { checkRegisters } from '../../chaos/register-checker.ts';
import { checkSet } from '../../chaos/set-checker.ts';

/** An operation from `[invoked, completed]`; `info` when it has no end. */
function did(call: Call, times: readonly [number, number?], changes: Partial<Operation> = {}): Operation {
  const [invoked, completed = Number.POSITIVE_INFINITY] = times;
  const outcome = completed === Number.POSITIVE_INFINITY ? 'info' : 'ok';
  return { process: 1, call, outcome, invoked, completed, ...changes };
}

const add = (value: string): Call => ({ action: 'add', value });
const write = (value: string, key = 'x'): Call => ({ action: 'write', key, value });
const read: Call = { action: 'read', key: 'x' };
const swap = (expected: string, value: string): Call => ({ action: 'swap', key: 'x', expected, value });

describe('set checker', () => {
  const operations = [
    did(add('sure'), [0, 1]),
    did(add('maybe'), [1]),
    did(add('perhaps'), [1]),
    did(add('no'), [2, 3], { outcome: 'fail' }),
  ];

  it('accepts what may be, and counts what came back', () => {
    expect(checkSet(operations, ['sure', 'maybe'])).toEqual({
      isValid: true,
      attempted: 4,
      acknowledged: 1,
      lost: [],
      unexpected: [],
      duplicate: [],
      recovered: ['maybe'],
    });
  });

  it.each([
    ['a lost row', ['maybe'], { lost: ['sure'] }],
    ['a row of a failed insert', ['sure', 'no'], { unexpected: ['no'] }],
    ['a row from nowhere', ['sure', 'alien'], { unexpected: ['alien'] }],
    ['a row twice', ['sure', 'maybe', 'sure'], { duplicate: ['sure'] }],
  ])('finds %s', (_, present, found) => {
    expect(checkSet(operations, present)).toMatchObject({ isValid: false, ...found });
  });

  it('finds any row that is taken away', () => {
    const values = fc.uniqueArray(fc.string(), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.nat(), (rows, index) => {
        const all = rows.map((row, at) => did(add(row), [at, at + 1]));
        const gone = rows[index % rows.length]!;
        expect(checkSet(all, rows).isValid).toBe(true);
        expect(
          checkSet(
            all,
            rows.filter((row) => row !== gone),
          ).lost,
        ).toEqual([gone]);
      }),
    );
  });
});

describe('overlap checker', () => {
  const acknowledged = (node: string, epoch: number, times: readonly [number, number]) =>
    did(add(`${node} ${times.join()}`), times, { node, epoch });

  it('accepts epochs that follow each other, and outcomes nobody knows', () => {
    const operations = [
      acknowledged('db-1', 1, [0, 10]),
      did(add('lost'), [9]),
      acknowledged('db-2', 2, [11, 20]),
      acknowledged('db-1', 3, [21, 30]),
      did(read, [25, 40], { node: 'db-2', epoch: 2, result: null }),
    ];
    expect(findOverlaps(operations)).toEqual([]);
  });

  it.each([
    ['two nodes in one epoch', 'TwoNodes', acknowledged('db-3', 2, [30, 40])],
    ['a zombie', 'Zombie', acknowledged('db-1', 1, [21, 31])],
    ['an acknowledgement that comes late', 'Late', acknowledged('db-1', 1, [5, 25])],
  ])('finds %s', (_, kind, operation) => {
    const second = acknowledged('db-2', 2, [11, 20]);
    const found = findOverlaps([acknowledged('db-1', 1, [0, 10]), second, operation]);
    expect(found).toEqual([{ kind, operation, against: second }]);
  });

  it('does not guess who acknowledged', () => {
    expect(() => findOverlaps([did(add('x'), [0, 1])])).toThrow(/nobody says who/);
  });
});

describe('register checker', () => {
  const verdictOf = (operations: readonly Operation[]) => checkRegisters(operations)[0]?.verdict;

  it.each<[string, readonly Operation[]]>([
    ['an empty register', [did(read, [0, 1], { result: null })]],
    [
      'a read during a write, either way',
      [did(write('a'), [0, 10]), did(read, [1, 2], { result: null }), did(read, [3, 4], { result: 'a' })],
    ],
    [
      'a write of unknown outcome that is seen much later',
      [
        did(write('a'), [0]),
        did(write('b'), [1, 2]),
        did(read, [3, 4], { result: 'b' }),
        did(read, [5, 6], { result: 'a' }),
      ],
    ],
    [
      'a write of unknown outcome that never happens',
      [did(write('a'), [0]), did(write('b'), [1, 2]), did(read, [9, 10], { result: 'b' })],
    ],
    [
      'a chain of swaps, one of unknown outcome',
      [did(write('a'), [0, 1]), did(swap('a', 'b'), [2]), did(swap('b', 'c'), [3, 4])],
    ],
    [
      'a write that surely failed',
      [did(write('a'), [0, 1], { outcome: 'fail' }), did(read, [2, 3], { result: null })],
    ],
  ])('accepts %s', (_, operations) => {
    expect(verdictOf(operations)).toBe('Valid');
  });

  it.each<[string, readonly Operation[]]>([
    ['a stale read', [did(write('a'), [0, 1]), did(write('b'), [2, 3]), did(read, [4, 5], { result: 'a' })]],
    ['a lost write', [did(write('a'), [0, 1]), did(read, [2, 3], { result: null })]],
    [
      'a value that flickers',
      [did(write('a'), [0, 10]), did(read, [1, 2], { result: 'a' }), did(read, [3, 4], { result: null })],
    ],
    ['a value nobody wrote', [did(read, [0, 1], { result: 'x' })]],
    [
      'the value of a write that surely failed',
      [did(write('a'), [0, 1], { outcome: 'fail' }), did(read, [2, 3], { result: 'a' })],
    ],
    [
      'two swaps from one value',
      [did(write('a'), [0, 1]), did(swap('a', 'b'), [2, 9]), did(swap('a', 'c'), [2, 9])],
    ],
    [
      'a write of unknown outcome that is seen before it began',
      [did(read, [0, 1], { result: 'a' }), did(write('a'), [2])],
    ],
  ])('finds %s', (_, operations) => {
    expect(verdictOf(operations)).toBe('Invalid');
  });

  it('says where it got stuck, and in which register', () => {
    const stale = did(read, [4, 5], { result: null });
    const good = did(write('q', 'y'), [0, 1]);
    expect(checkRegisters([did(write('a'), [0, 1]), good, stale])).toEqual([
      { key: 'x', verdict: 'Invalid', stuck: [stale] },
      { key: 'y', verdict: 'Valid', stuck: [] },
    ]);
  });

  it('does not call valid what it could not finish', () => {
    const operations = [did(write('a'), [0, 1]), did(read, [2, 3], { result: 'a' })];
    expect(checkRegisters(operations, 1)).toMatchObject([{ verdict: 'Undecided' }]);
  });

  const value = fc.constantFrom('a', 'b');
  const call = fc.oneof(
    value.map((one) => write(one)),
    fc.constant(read),
    fc.tuple(value, value).map(([expected, next]) => swap(expected, next)),
  );
  const anOperation = fc
    .tuple(call, fc.nat(12), fc.integer({ min: 1, max: 6 }), fc.option(value), fc.nat(4))
    .map(([what, invoked, takes, result, chance]) =>
      chance === 0
        ? did(what, [invoked])
        : did(what, [invoked, invoked + takes], what.action === 'read' ? { result } : {}),
    );

  it('agrees with trying every order', () => {
    let valid = 0;
    fc.assert(
      fc.property(fc.array(anOperation, { maxLength: 6 }), (operations) => {
        const isPossible = someOrderWorks(operations, null);
        if (isPossible) valid += 1;
        expect(verdictOf(operations) ?? 'Valid').toBe(isPossible ? 'Valid' : 'Invalid');
      }),
      { numRuns: 2_000 },
    );
    // Both answers were tried, not just one.
    expect(valid).toBeGreaterThan(200);
    expect(valid).toBeLessThan(1_800);
  });

  it('decides long histories of several clients quickly', () => {
    const random = fc.sample(fc.array(fc.nat(1_000), { minLength: 6_000, maxLength: 6_000 }), {
      numRuns: 1,
      seed: 5,
    })[0]!;
    const operations = aRegisterUsedBy(8, random);
    expect(operations.length).toBeGreaterThan(1_900);
    expect(verdictOf(operations)).toBe('Valid');
    const reads = operations.filter((one) => one.call.action === 'read' && one.result !== null);
    const late = reads.at(-1)!;
    const stale = operations.map((one) => (one === late ? { ...one, result: reads[0]!.result! } : one));
    expect(verdictOf(stale)).toBe('Invalid');
  });
});

/** Tries every order that respects time; uncertain operations may be left out. */
function someOrderWorks(left: readonly Operation[], held: string | null): boolean {
  const certain = left.filter(({ outcome }) => outcome === 'ok');
  if (certain.length === 0) return true;
  return left.some((next, index) => {
    if (certain.some((other) => other !== next && other.completed < next.invoked)) return false;
    const rest = left.toSpliced(index, 1);
    const { call: what } = next;
    if (what.action === 'write') return someOrderWorks(rest, what.value);
    if (what.action === 'swap') return what.expected === held && someOrderWorks(rest, what.value);
    return (next.result ?? null) === held && someOrderWorks(rest, held);
  });
}

/** What clients of a good register saw; `numbers` decide what they do and how long it takes. */
function aRegisterUsedBy(clients: number, numbers: readonly number[]): readonly Operation[] {
  const operations: Operation[] = [];
  let held: string | null = null;
  const freeAt = Array.from({ length: clients }, () => 0);
  // Each takes effect at its own whole number, somewhere between its beginning and its end.
  for (let index = 0; index + 2 < numbers.length; index += 3) {
    const [choice, before, after] = [numbers[index]!, numbers[index + 1]!, numbers[index + 2]!];
    const effect = (index / 3 + 1) * 10;
    const client = freeAt.findIndex((at) => at < effect);
    if (client === -1) continue;
    const invoked = Math.max(freeAt[client]! + 0.5, effect - (before % 30));
    const completed = effect + (after % 30);
    const isRead = choice % 2 === 0;
    const isUnknown = !isRead && choice % 97 === 1;
    if (isRead) operations.push(did(read, [invoked, completed], { result: held, process: client }));
    else operations.push(did(write(`v${index}`), isUnknown ? [invoked] : [invoked, completed]));
    if (!isRead) held = `v${index}`;
    freeAt[client] = completed;
  }
  return operations;
}
