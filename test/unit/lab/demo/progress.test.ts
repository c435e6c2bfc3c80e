/** The demo's table: what counts as done, in which order, and what is worth a new line. */
import { expect, test } from 'vitest';
import {
  allReady,
  changedRows,
  rowsOf,
  tableLines,
  type WatchedObject,
} from '../../../../lab/demo/progress.ts';

function aCondition(type: string, status = 'True', reason = 'Fine', observedGeneration = 1) {
  return { type, status, reason, message: `${type} is ${status}`, observedGeneration };
}

function anObject(kind: string, name: string, ...conditions: ReturnType<typeof aCondition>[]): WatchedObject {
  return { kind, metadata: { name, generation: 1 }, status: { conditions } };
}

test('kinds come in the order a site comes to life, numbered names by number; scripts are not shown', () => {
  const objects = ['Server/web-10', 'Script/a', 'Server/web-9', 'CloudAccount/default', 'Deployment/x'].map(
    (key) => {
      const [kind, name] = key.split('/');
      return anObject(kind!, name!);
    },
  );
  const shown = rowsOf(objects, [], 0).filter(({ type }) => type === 'Ready');
  expect(shown.map(({ object }) => object)).toEqual([
    'cloudaccount/default',
    'deployment/x',
    'server/web-9',
    'server/web-10',
  ]);
});

test('a server shows its steps in order, also those nobody has looked at', () => {
  const rows = rowsOf([anObject('Server', 'web', aCondition('Ready', 'False', 'Booting'))], [], 0);
  expect(rows.map(({ type }) => type)).toEqual([
    'InstanceRunning',
    'SSHReachable',
    'Booted',
    'Healthy',
    'Ready',
  ]);
  expect(rows[0]).toMatchObject({ done: false, message: 'not looked at yet' });
});

test('a server that is switched off is not waited for', () => {
  const deployment = anObject('Deployment', 'x', aCondition('Ready'));
  const off = { ...anObject('Server', 'old', aCondition('Ready', 'False')), spec: { power: 'Stopped' } };
  expect(allReady(rowsOf([deployment, off], [], 0))).toBe(true);
});

test('a condition about an older spec is not done', () => {
  const object = anObject('Deployment', 'x', aCondition('Ready'));
  const edited = { ...object, metadata: { name: 'x', generation: 2 } };
  expect(allReady(rowsOf([object], [], 0))).toBe(true);
  expect(allReady(rowsOf([edited], [], 0))).toBe(false);
});

test('nothing at all is not ready', () => {
  expect(allReady([])).toBe(false);
});

test('the time of the first success is kept', () => {
  const object = anObject('Deployment', 'x', aCondition('Ready'));
  const first = rowsOf([object], [], 1.5);
  expect(rowsOf([object], first, 9)[0]!.seconds).toBe(1.5);
});

test('a row is told again when its reason changes, not when its message does', () => {
  const before = rowsOf([anObject('Deployment', 'x', aCondition('Ready', 'False', 'Waiting'))], [], 0);
  const sameReason = before.map((row) => ({ ...row, message: 'still' }));
  const otherReason = before.map((row) => ({ ...row, reason: 'Failed' }));
  expect(changedRows(sameReason, before)).toEqual([]);
  expect(changedRows(otherReason, before)).toHaveLength(1);
});

test('lines fit the terminal, mark trouble, and name an object once', () => {
  const conditions = [
    aCondition('Booted', 'False', 'ScriptFailed'),
    aCondition('Ready', 'False', 'Stranded'),
  ];
  const lines = tableLines(rowsOf([anObject('Server', 'web', ...conditions)], [], 0), 60);
  expect(lines.filter((line) => line.length > 60)).toEqual([]);
  expect(lines.filter((line) => line.startsWith(' ✘'))).toHaveLength(2);
  expect(lines.filter((line) => line.includes('server/web'))).toHaveLength(1);
});
