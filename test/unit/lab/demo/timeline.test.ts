/** What a person reads of a failover: who, why, and when each step was done. */
import { expect, test } from 'vitest';
import { timelineOf } from '../../../../lab/demo/timeline.ts';

const cut = new Date('2026-11-23T03:00:00.000Z');

test('a promotion becomes one line per step, counted from the power cut', () => {
  const status = {
    oldPrimary: 'db-1',
    newPrimary: 'db-2',
    cause: 'DeadHost',
    dataLoss: 'None',
    steps: [
      { name: 'Detect', state: 'Succeeded', completionTime: '2026-11-23T03:00:04.250Z', message: 'silence' },
      { name: 'UpdateDNS', state: 'Skipped' },
    ],
    conditions: [{ type: 'Succeeded', status: 'True', reason: 'Completed' }],
  };
  expect(timelineOf({ metadata: { name: 'db-epoch-2' }, status }, cut).split('\n')).toEqual([
    '  promotion db-epoch-2: db-1 -> db-2, DeadHost, Completed, data loss None',
    '      +4.3 s  Detect         Succeeded  silence',
    '              UpdateDNS      Skipped',
  ]);
});

test('a long message is cut to a line', () => {
  const steps = [{ name: 'Fence', state: 'Succeeded', message: 'x'.repeat(500) }];
  const lines = timelineOf({ metadata: { name: 'db-epoch-2' }, status: { steps } }, cut).split('\n');
  expect(lines[1]).toHaveLength(150);
  expect(lines[1]).toMatch(/x…$/);
});
