/** Which level wins, and what a declaration demands. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseInputs,
  chosenFor,
  type Level,
  type Reading,
  resolveInputs,
} from '../../../controller/inputs/resolve.ts';

const declare = (name: string, more: object = {}) => ({ name, required: false, sensitive: false, ...more });

const secretRef = { secretKeyRef: { name: 'db', key: 'password' } };

function resolve(
  declarations: readonly ReturnType<typeof declare>[],
  levels: readonly Level[],
  readings: Readonly<Record<string, Reading>> = {},
) {
  const script = { name: 'deploy', inputs: declarations };
  return resolveInputs(script, chooseInputs(levels), new Map(Object.entries(readings)));
}

const server = (input: NonNullable<Level['inputs']>[number]): Level => ({
  level: 'Server',
  name: 'web',
  inputs: [input],
});

const kinds = ['ServerTemplate', 'Deployment', 'Server', 'ScriptRun'] as const;

describe('precedence', () => {
  const all: readonly Level[] = kinds.map((kind) => ({
    level: kind,
    name: 'x',
    inputs: [{ name: 'A', value: kind }],
  }));

  test.each([
    [0, 'script default', 'Script'],
    [1, 'ServerTemplate', 'ServerTemplate'],
    [2, 'Deployment', 'Deployment'],
    [3, 'Server', 'Server'],
    [4, 'ScriptRun', 'ScriptRun'],
  ])('with %i levels set, %s wins', (count, value, level) => {
    const { inputs } = resolve([declare('A', { default: 'script default' })], all.slice(0, count));
    expect(inputs).toEqual([{ name: 'A', value, secret: false, level }]);
  });

  test('an array or a cluster stands between Deployment and Server', () => {
    for (const kind of ['Array', 'Cluster'] as const) {
      const middle: Level = { level: kind, name: 'm', inputs: [{ name: 'A', value: 'middle' }] };
      const below = chooseInputs([middle, all[1] as Level]);
      const above = chooseInputs([all[2] as Level, middle]);
      expect(below.get('A')?.setBy).toBe(kind === 'Array' ? 'ServerArray/m' : 'MySQLCluster/m');
      expect(above.get('A')?.setBy).toBe('Server/x');
    }
  });

  test('the order in which levels are given never matters, and the highest that sets an input wins', () => {
    const level = fc.record({
      level: fc.constantFrom(...kinds),
      name: fc.constant('x'),
      inputs: fc.uniqueArray(
        fc.record({ name: fc.constantFrom('A', 'B', 'C'), value: fc.string({ maxLength: 3 }) }),
        { selector: (input) => input.name },
      ),
    });
    const levels = fc.uniqueArray(level, { selector: (one) => one.level });
    fc.assert(
      fc.property(
        levels.chain((list) =>
          fc.record({
            list: fc.constant(list),
            shuffled: fc.shuffledSubarray(list, { minLength: list.length }),
          }),
        ),
        ({ list, shuffled }) => {
          const choices = chooseInputs(shuffled);
          expect(choices).toEqual(chooseInputs(list));
          for (const name of ['A', 'B', 'C']) {
            const highest = kinds.findLast((kind) =>
              list.some((one) => one.level === kind && one.inputs.some((input) => input.name === name)),
            );
            expect(choices.get(name)?.setBy).toBe(highest && `${highest}/x`);
          }
        },
      ),
    );
  });
});

describe('rules of a declaration', () => {
  test.each([
    [
      'required and unset',
      { required: true },
      [],
      'RequiredInputMissing',
      /^Script deploy requires A; no level sets it\.$/,
    ],
    [
      'sensitive and literal',
      { sensitive: true },
      [server({ name: 'A', value: 'plain-text-password' })],
      'NotASecret',
      /^A: Script deploy declares it sensitive, so it must come from a Secret; Server\/web sets it otherwise\. Use/,
    ],
    [
      'not an option',
      { options: ['blue', 'green'] },
      [server({ name: 'A', value: 'mauve' })],
      'InvalidChoice',
      /^A: must be one of 'blue', 'green' for Script deploy; Server\/web sets another value\.$/,
    ],
  ] as const)('%s', (...[, more, levels, reason, message]) => {
    const { inputs, problems } = resolve([declare('A', more)], levels);
    expect(inputs).toEqual([]);
    expect(problems).toMatchObject([{ input: 'A', reason, waiting: false }]);
    expect(problems[0]?.message).toMatch(message);
    expect(problems[0]?.message).not.toMatch(/plain-text-password|mauve/);
  });

  test('optional and unset: simply absent', () => {
    expect(resolve([declare('A')], [])).toEqual({ inputs: [], problems: [] });
  });

  test('only declared inputs reach the script', () => {
    const levels = [server({ name: 'OTHER', valueFrom: secretRef })];
    expect(resolve([declare('A')], levels).inputs).toEqual([]);
    expect(chosenFor(chooseInputs(levels), [{ name: 'deploy', inputs: [declare('A')] }])).toEqual([]);
  });

  test('a sensitive input from a Secret is resolved and marked', () => {
    const { inputs } = resolve(
      [declare('A', { sensitive: true, required: true })],
      [server({ name: 'A', valueFrom: secretRef })],
      { 'Secret/db key password': { value: 'tr0ub4dor' } },
    );
    expect(inputs).toEqual([
      { name: 'A', value: 'tr0ub4dor', secret: true, level: 'Server', ref: 'Secret/db key password' },
    ]);
  });

  test('what a reading says is passed on with the name of the input', () => {
    const reading = {
      reason: 'EndpointNotPublished',
      message: 'Server/db has no address yet.',
      waiting: true,
    } as const;
    const endpointRef = { kind: 'Server', name: 'db', endpoint: 'Private' } as const;
    const { problems } = resolve([declare('A')], [server({ name: 'A', valueFrom: { endpointRef } })], {
      'Server/db endpoint Private': reading,
    });
    expect(problems).toEqual([{ ...reading, input: 'A', message: 'A: Server/db has no address yet.' }]);
  });
});
