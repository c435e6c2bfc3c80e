/** The count that `maxServers` limits: rather one too many than one too few. */
import { expect, test } from 'vitest';
import { countServers } from '../../../controller/accounts/spending.ts';
import type { LaunchBatchStatus } from '../../../controller/api/launch-batch.ts';
import type { Machine, MachineState } from '../../../controller/cloud/port.ts';
import { aBatch, at, t0 } from '../../builders/server.ts';

function machine(id: string, state: MachineState = 'running'): Machine {
  const fixed = { type: 't3.small', imageId: 'ami-0123', zone: 'eu-west-1a', launchTime: t0 };
  return { id, state, ...fixed, launchIndex: 0, tags: {} };
}

const answered = (seconds: number): LaunchBatchStatus => ({
  outcome: 'Completed',
  completionTime: at(seconds),
  instances: [{ index: 0, instanceID: 'i-1' }],
});

test.each([
  ['nothing', [], [], 0],
  ['machines in any living state', [machine('i-1', 'pending'), machine('i-2', 'stopped')], [], 2],
  ['no machines that end', [machine('i-1', 'shutting-down'), machine('i-2', 'terminated')], [], 0],
  ['every slot of a launch without answer', [], [aBatch({}, 3), aBatch({ outcome: 'InFlight' }, 2)], 5],
  ['a machine that is launched but not listed yet', [], [aBatch(answered(590))], 1],
  ['the same machine once when it is listed', [machine('i-1')], [aBatch(answered(590))], 1],
  ['no machine that was launched long ago and is not listed', [], [aBatch(answered(0))], 0],
  ['no launch that failed', [], [aBatch({ outcome: 'Failed' })], 0],
])('it counts %s', (_, machines, batches, expected) => {
  expect(countServers({ now: t0 + 600_000, machines, batches })).toBe(expected);
});
