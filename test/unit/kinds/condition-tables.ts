/** Runs tables of conditions: a situation, and the status, reason and message that one condition has in it. */
import { describe, expect, test } from 'vitest';
import type { ConditionStatus, UnstampedCondition } from '../../../controller/api/conditions.ts';
import { type ReasonedKind, reasons } from '../../../controller/api/reasons.ts';

type ReasonsOf<Kind extends ReasonedKind> = (typeof reasons)[Kind];
type TypeOf<Kind extends ReasonedKind> = keyof ReasonsOf<Kind> & string;
type ReasonOf<Kind extends ReasonedKind, Type extends TypeOf<Kind>> = keyof ReasonsOf<Kind>[Type] & string;
type AnyReasonOf<Kind extends ReasonedKind> = { [Type in TypeOf<Kind>]: ReasonOf<Kind, Type> }[TypeOf<Kind>];

/** A regular expression where the message holds ids or times, or a part of it says it all. */
export type Row<Scene, Reason extends string = string> =
  | readonly [situation: string, scene: Scene, status: 'absent']
  | readonly [
      situation: string,
      scene: Scene,
      status: ConditionStatus,
      reason: Reason,
      message: string | RegExp,
    ];

/** The rows of one condition type of a kind. */
export type Rows<Kind extends ReasonedKind, Scene, Type extends TypeOf<Kind>> = readonly Row<
  Scene,
  ReasonOf<Kind, Type>
>[];

/** The rows of a passing condition, which has a reason of the kind's own. */
export type PassingRows<Kind extends ReasonedKind, Scene> = readonly Row<Scene, AnyReasonOf<Kind>>[];

export interface Tables<Kind extends ReasonedKind, Scene> {
  readonly kind: Kind;
  /** What the kind's code makes of a situation. */
  readonly conditionsOf: (
    scene: Scene,
  ) => readonly UnstampedCondition[] | Promise<readonly UnstampedCondition[]>;
  readonly rows: { readonly [Type in TypeOf<Kind>]: Rows<Kind, Scene, Type> };
  /** Absent for a kind that never has them. */
  readonly passing?: Readonly<Record<'Reconciling' | 'Stalled', PassingRows<Kind, Scene>>>;
  /** Reasons that no row can reach, and why. */
  readonly beyond?: {
    readonly [Type in TypeOf<Kind>]?: { readonly [Reason in ReasonOf<Kind, Type>]?: string };
  };
}

export function testConditions<Kind extends ReasonedKind, Scene>(tables: Tables<Kind, Scene>): void {
  const { rows, passing } = tables;
  const conditionsOf = remember(tables.conditionsOf);
  const all: readonly (readonly [string, readonly Row<Scene>[]])[] = Object.entries({ ...rows, ...passing });
  for (const [type, table] of all) {
    describe(type, () => {
      for (const row of table) {
        test(row[0], async () => {
          checkRow(row, findOnly(type, await conditionsOf(row[1])));
        });
      }
    });
  }
  test('every situation has conditions of the list, and cannot be Reconciling and Stalled at once', async () => {
    const scenes = all.flatMap(([, table]) => table.map(([, scene]) => scene));
    for (const scene of scenes) checkConditions(tables.kind, await conditionsOf(scene));
  });
  test('every reason of the list is reached, or it is said why not', async () => {
    const beyond: Readonly<Record<string, object | undefined>> = tables.beyond ?? {};
    const reached: Record<string, readonly string[]> = {};
    for (const type of Object.keys(rows) as TypeOf<Kind>[]) {
      const found = rows[type].map(async ([, scene]) => findOnly(type, await conditionsOf(scene))?.reason);
      const names = (await Promise.all(found)).flatMap((reason) => reason ?? []);
      const excused = Object.keys(beyond[type] ?? {});
      expect(names.filter((reason) => excused.includes(reason))).toEqual([]);
      reached[type] = [...new Set([...names, ...excused])].toSorted();
    }
    const listed = Object.entries<object>(reasons[tables.kind]);
    expect(reached).toEqual(
      Object.fromEntries(listed.map(([type, words]) => [type, Object.keys(words).toSorted()])),
    );
  });
}

/** A situation may be long to play; what came of it serves all tests. */
function remember<Scene, Result>(play: (scene: Scene) => Result): (scene: Scene) => Result {
  const played = new Map<Scene, Result>();
  return (scene) => {
    const result = played.get(scene) ?? play(scene);
    played.set(scene, result);
    return result;
  };
}

function checkRow<Scene>(row: Row<Scene>, found: UnstampedCondition | undefined): void {
  const [, , status, reason, message] = row;
  if (status === 'absent') {
    expect(found).toBeUndefined();
    return;
  }
  expect(found && { status: found.status, reason: found.reason }).toEqual({ status, reason });
  if (message instanceof RegExp) expect(found?.message).toMatch(message);
  else expect(found?.message).toBe(message);
}

function findOnly(type: string, conditions: readonly UnstampedCondition[]): UnstampedCondition | undefined {
  const [found, ...more] = conditions.filter((condition) => condition.type === type);
  expect(more).toEqual([]);
  return found;
}

function checkConditions(kind: ReasonedKind, conditions: readonly UnstampedCondition[]): void {
  const listed: Readonly<Record<string, object>> = reasons[kind];
  const anywhere = Object.assign({}, ...Object.values(listed)) as object;
  const isPassing = ({ type }: UnstampedCondition) => type === 'Reconciling' || type === 'Stalled';
  for (const { type, reason } of conditions.filter((condition) => !isPassing(condition))) {
    expect(Object.keys(listed[type] ?? {})).toContain(reason);
  }
  const passing = conditions.filter(isPassing);
  for (const { reason } of passing) expect(Object.keys(anywhere)).toContain(reason);
  expect(passing.length).toBeLessThan(2);
}
