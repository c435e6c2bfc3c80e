/** How a LaunchBatch says it has ended: outcome, reason and message, for every answer of EC2 and for none. */
import { expect, test } from 'vitest';
import type { LaunchBatchStatus } from '../../../../controller/api/launch-batch.ts';
import { AppError, type ErrorCode } from '../../../../controller/base/errors.ts';
import type { Machine } from '../../../../controller/cloud/port.ts';
import {
  decide,
  type Observed,
  replayWindow,
  visibilityDelay,
} from '../../../../controller/kinds/launch-batch/decide.ts';
import { type Answer, statusAfter } from '../../../../controller/kinds/launch-batch/status.ts';
import { aBatch, at, t0 } from '../../../builders/server.ts';
import { testConditions } from '../condition-tables.ts';

interface Scene {
  readonly status?: LaunchBatchStatus;
  /** After the batch was made. */
  readonly seconds?: number;
  readonly unwanted?: true;
  /** What EC2 says, when it is asked in this pass. */
  readonly answer?: Answer;
}

const machine: Machine = {
  id: 'i-01',
  state: 'pending',
  type: 't3.small',
  imageId: 'ami-0123',
  zone: 'eu-west-1a',
  launchTime: t0,
  launchIndex: 0,
  tags: {},
};
const sent: LaunchBatchStatus = {
  outcome: 'InFlight',
  attempts: 1,
  unanswered: 1,
  lastAttemptTime: at(0),
};
const late = replayWindow / 1_000;
const listed = visibilityDelay / 1_000;
const launched: Answer = { type: 'launched', machines: [machine] };
const found = (...machines: readonly Machine[]): Answer => ({ type: 'found', machines, tokenSpent: false });
const spent: Answer = { type: 'found', machines: [], tokenSpent: true };
const errorOf = (code: ErrorCode) => new AppError(code, 'EC2 says no', { fields: { awsCode: 'ItsCode' } });
const refused = (code: ErrorCode): Scene => ({ answer: { type: 'refused', error: errorOf(code) } });
/** Said to the second request, while nobody knows about the first. */
const doubtful: LaunchBatchStatus = {
  ...sent,
  attempts: 2,
  refusal: { reason: 'QuotaExceeded', message: 'vCPUs' },
};

/** A pass over a batch that is new, or has this status. */
function statusOf({ status = {}, seconds = 0, unwanted, answer }: Scene): LaunchBatchStatus {
  const slots = [{ index: 0, unwanted: unwanted === true, settled: false }];
  const observed: Observed = { now: t0 + seconds * 1_000, batch: aBatch(status), slots };
  const plan = decide(observed);
  const isAsked = plan.action !== undefined && plan.action.do !== 'delete';
  expect(isAsked).toBe(answer !== undefined);
  return answer === undefined ? plan.record : statusAfter(observed, plan.record, answer);
}

const said = 'EC2 says no [ItsCode]';

testConditions<'LaunchBatch', Scene>({
  kind: 'LaunchBatch',
  // It tells its end by fields of their own; they are read as a condition here.
  conditionsOf: (scene) => {
    const { outcome, reason, message = '' } = statusOf(scene);
    const status = outcome === 'Completed' ? 'True' : 'False';
    return reason === undefined ? [] : [{ type: 'Completed', status, reason, message }];
  },
  rows: {
    Completed: [
      ['EC2 starts the machines', { answer: launched }, 'True', 'Launched', ''],
      [
        'found though the answer was lost',
        { status: sent, seconds: late, answer: found(machine) },
        'True',
        'Launched',
        '',
      ],
      [
        'found although a later request was refused',
        { status: doubtful, seconds: 5, answer: found(machine) },
        'True',
        'Launched',
        '',
      ],
      ['its machines are dead by now', { status: sent, seconds: 5, answer: spent }, 'True', 'TokenSpent', ''],
      ['sold out', refused('cloud.no-capacity'), 'False', 'InsufficientCapacity', said],
      ['no addresses left', refused('cloud.subnet-full'), 'False', 'SubnetExhausted', said],
      ['a quota', refused('cloud.quota'), 'False', 'QuotaExceeded', said],
      ['a wrong request', refused('cloud.bad-request'), 'False', 'InvalidConfiguration', said],
      ['something it names is gone', refused('cloud.not-found'), 'False', 'InvalidConfiguration', said],
      ['not allowed', refused('cloud.denied'), 'False', 'Unauthorized', said],
      ['keys refused', refused('cloud.credentials'), 'False', 'CredentialsInvalid', said],
      [
        'an account that cannot be used',
        refused('cloud.account-not-ready'),
        'False',
        'AccountNotReady',
        said,
      ],
      [
        'the token with another request',
        refused('cloud.token-mismatch'),
        'False',
        'LaunchInvariantBroken',
        said,
      ],
      ['anything else', refused('cloud.unknown'), 'False', 'LaunchRefused', said],
      [
        'deleted before the launch',
        { unwanted: true },
        'False',
        'Canceled',
        'Every server of this batch was deleted before the launch.',
      ],
      [
        'deleted, and the request made nothing',
        { status: sent, unwanted: true, seconds: listed, answer: found() },
        'False',
        'Canceled',
        /^Every server of this batch was deleted/,
      ],
      [
        'never sent in time',
        { seconds: late },
        'False',
        'Expired',
        'No answer from EC2 in time, and no machine has this token.',
      ],
      [
        'never answered in time, and made nothing',
        { status: sent, seconds: late, answer: found() },
        'False',
        'Expired',
        'No answer from EC2 in time, and no machine has this token.',
      ],
      [
        'refused, and the earlier request made nothing',
        { status: doubtful, seconds: listed, answer: found() },
        'False',
        'QuotaExceeded',
        'vCPUs',
      ],
      [
        'sent, and not answered',
        { answer: { type: 'unanswered', error: errorOf('cloud.ambiguous') } },
        'absent',
      ],
      ['asked to wait', { answer: { type: 'postponed', error: errorOf('cloud.throttled') } }, 'absent'],
      [
        'refused while an earlier request may have launched',
        { status: sent, seconds: 1, ...refused('cloud.quota') },
        'absent',
      ],
      [
        'looked up before EC2 had time to list it',
        { status: doubtful, seconds: 5, answer: found() },
        'absent',
      ],
    ],
  },
});

test.each([
  ['not answered', { answer: { type: 'unanswered', error: errorOf('cloud.ambiguous') } }, 1],
  ['asked to wait', { answer: { type: 'postponed', error: errorOf('cloud.throttled') } }, 0],
] as const)('%s: it stays InFlight and says what EC2 said', (_, scene, unanswered) => {
  expect(statusOf(scene)).toMatchObject({ outcome: 'InFlight', message: said, unanswered });
});
