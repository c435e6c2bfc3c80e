/** When a launch is sent, repeated, looked up and given up; and what each answer of EC2 makes of it. */
import { expect, test } from 'vitest';
import type { LaunchBatchStatus } from '../../../../controller/api/launch-batch.ts';
import { AppError, type ErrorCode } from '../../../../controller/base/errors.ts';
import type { Machine } from '../../../../controller/cloud/port.ts';
import {
  decide,
  type Observed,
  replayWindow,
  type SlotFacts,
  visibilityDelay,
} from '../../../../controller/kinds/launch-batch/decide.ts';
import { statusAfter } from '../../../../controller/kinds/launch-batch/status.ts';
import { aBatch, at, t0 } from '../../../builders/server.ts';

const wanted: SlotFacts = { index: 0, unwanted: false, settled: false };

function seen(
  status: LaunchBatchStatus = {},
  more: { seconds?: number; slots?: readonly SlotFacts[] } = {},
): Observed {
  const { seconds = 0, slots = [wanted] } = more;
  return { now: t0 + seconds * 1_000, batch: aBatch(status, slots.length), slots };
}

const sent = { outcome: 'InFlight', attempts: 1, unanswered: 1, lastAttemptTime: at(0) } as const;
const late = replayWindow / 1_000;

test.each([
  ['new', seen(), 'launch', undefined],
  ['sent a moment ago', seen(sent, { seconds: 0.5 }), undefined, 500],
  ['sent a second ago', seen(sent, { seconds: 1 }), 'launch', undefined],
  ['sent often', seen({ ...sent, attempts: 9 }, { seconds: 29 }), undefined, 1_000],
  [
    'nobody wants it any more, never sent',
    seen({}, { slots: [{ ...wanted, unwanted: true }] }),
    undefined,
    undefined,
  ],
  [
    'nobody wants it any more, sent',
    seen(sent, { slots: [{ ...wanted, unwanted: true }] }),
    'look-up',
    undefined,
  ],
  [
    'somebody still wants it',
    seen(
      {},
      {
        slots: [
          { ...wanted, unwanted: true },
          { ...wanted, index: 1 },
        ],
      },
    ),
    'launch',
    undefined,
  ],
  ['too old to be sent again', seen(sent, { seconds: late }), 'look-up', undefined],
  [
    'too old, looked up just now',
    seen({ ...sent, lookUpTime: at(late) }, { seconds: late + 4 }),
    undefined,
    6_000,
  ],
  ['too old and never sent', seen({}, { seconds: late }), undefined, undefined],
  [
    'refused after an attempt without answer',
    seen({ ...sent, refusal: { reason: 'QuotaExceeded', message: '' } }, { seconds: 5 }),
    'look-up',
    undefined,
  ],
  ['answered', seen({ outcome: 'Completed' }), undefined, undefined],
  [
    'answered and settled for an hour',
    seen(
      { outcome: 'Completed', settledTime: at(0) },
      { seconds: 3_600, slots: [{ ...wanted, settled: true }] },
    ),
    'delete',
    undefined,
  ],
] as const)('%s', (_, observed, action, recheckAfter) => {
  const plan = decide(observed);
  expect(plan.action?.do).toBe(action);
  expect(plan.recheckAfter).toBe(recheckAfter);
});

test('an attempt is on record before it is made', () => {
  expect(decide(seen()).record).toMatchObject({ attempts: 1, unanswered: 1, lastAttemptTime: at(0) });
});

test.each([
  ['Canceled', {}, [{ ...wanted, unwanted: true }]],
  ['Expired', { seconds: late }, [wanted]],
] as const)('a batch that was never sent ends as %s without a word to EC2', (reason, more, slots) => {
  expect(decide(seen({}, { ...more, slots })).record).toMatchObject({ outcome: 'Failed', reason });
});

function machine(index: number): Machine {
  return {
    id: `i-0${index}`,
    state: 'pending',
    type: 't3.small',
    imageId: 'ami-0123',
    zone: 'eu-west-1a',
    launchTime: t0,
    launchIndex: index,
    tags: {},
  };
}

test('machines are bound to slots by launch index, not by their order in the answer', () => {
  const status = statusAfter(seen(), sent, { type: 'launched', machines: [machine(1), machine(0)] });
  expect(status).toMatchObject({ outcome: 'Completed', reason: 'Launched', unanswered: 0 });
  expect(status.instances).toEqual([
    { index: 0, instanceID: 'i-00' },
    { index: 1, instanceID: 'i-01' },
  ]);
});

const refusals: readonly (readonly [ErrorCode, string])[] = [
  ['cloud.no-capacity', 'InsufficientCapacity'],
  ['cloud.subnet-full', 'SubnetExhausted'],
  ['cloud.quota', 'QuotaExceeded'],
  ['cloud.bad-request', 'InvalidConfiguration'],
  ['cloud.denied', 'Unauthorized'],
  ['cloud.credentials', 'CredentialsInvalid'],
  ['cloud.account-not-ready', 'AccountNotReady'],
  ['cloud.token-mismatch', 'LaunchInvariantBroken'],
  ['cloud.unknown', 'LaunchRefused'],
];

test.each(refusals)('%s ends the batch as %s', (code, reason) => {
  const error = new AppError(code, 'no', { fields: { awsCode: 'Code' } });
  const status = statusAfter(seen(), sent, { type: 'refused', error });
  expect(status).toMatchObject({ outcome: 'Failed', reason, message: 'no [Code]', completionTime: at(0) });
});

test('a refusal proves nothing about an earlier attempt that went unanswered', () => {
  const error = new AppError('cloud.credentials', 'expired');
  const recorded = { ...sent, attempts: 2, unanswered: 2 };
  const status = statusAfter(seen(), recorded, { type: 'refused', error });
  expect(status).toMatchObject({
    outcome: 'InFlight',
    unanswered: 1,
    refusal: { reason: 'CredentialsInvalid' },
  });
  const found = statusAfter(seen(), status, { type: 'found', machines: [machine(0)], tokenSpent: false });
  expect(found).toMatchObject({ outcome: 'Completed', instances: [{ index: 0, instanceID: 'i-00' }] });
});

test('nothing found counts only when EC2 had time to list it', () => {
  const nothing = { type: 'found', machines: [], tokenSpent: false } as const;
  const early = statusAfter(seen(sent, { seconds: 10 }), sent, nothing);
  expect(early).toMatchObject({ outcome: 'InFlight', lookUpTime: at(10) });
  const refused = { ...sent, refusal: { reason: 'QuotaExceeded', message: 'vCPUs' } };
  const observed = seen(refused, { seconds: visibilityDelay / 1_000 });
  expect(statusAfter(observed, refused, nothing)).toMatchObject({
    outcome: 'Failed',
    reason: 'QuotaExceeded',
    message: 'vCPUs',
  });
});

test('throttling is no answer about the launch, but it launched nothing', () => {
  const error = new AppError('cloud.throttled', 'slow down');
  expect(statusAfter(seen(), sent, { type: 'postponed', error })).toMatchObject({
    outcome: 'InFlight',
    unanswered: 0,
  });
});

test('a token whose machines are dead completes without machines', () => {
  const answer = { type: 'found', machines: [], tokenSpent: true } as const;
  expect(statusAfter(seen(), sent, answer)).toMatchObject({
    outcome: 'Completed',
    reason: 'TokenSpent',
    instances: [],
  });
});
