/** What a Promotion says of itself: why it waits or is refused, which step runs, and how it has ended. */
import { testConditions } from '../condition-tables.ts';
import {
  conditionsOf,
  deafProxy,
  died,
  healthy,
  powerLost,
  type Scene,
  shutForGood,
  slowTarget,
  unfenceable,
} from './conditions-scene.ts';

const completed = died(10);
const lossless = /^Epoch 2: db-[23] takes writes\. No acknowledged write was lost\.$/;
const running = died(2);
const step = /^Step \w+ \(\d+ of \d+\)/;
const other: Scene = { cluster: { currentPromotionRef: { name: 'other' } } };
const noReplica: Scene = { replicas: [] };
const lostPrimary = died(20, {
  meanwhile: (place, world) => {
    if (place === 'failover.after-commit') world.databases.powerOff(world.primary);
  },
});

testConditions<'Promotion', Scene>({
  kind: 'Promotion',
  conditionsOf,
  beyond: {
    Succeeded: {
      Diverged:
        'Replicas that contradict each other take a history of hand-made writes; test/unit/failover/elect.test.ts elects among them.',
    },
  },
  rows: {
    Succeeded: [
      // Before it begins.
      [
        'nothing speaks against it',
        {},
        'Unknown',
        'Queued',
        'Nothing speaks against it; it begins in its turn.',
      ],
      ['another one runs', other, 'Unknown', 'Queued', 'It waits: Promotion other runs.'],
      [
        'the cluster is suspended',
        { suspended: true },
        'Unknown',
        'Queued',
        'It waits: MySQLCluster db is suspended or paused.',
      ],
      [
        'the cluster is suspended for too long',
        { suspended: true, seconds: 301 },
        'False',
        'StartDeadlineExceeded',
        'It could not begin within 300 s (startDeadlineSeconds): MySQLCluster db is suspended or paused. Nothing was changed; create it again if it is still wanted.',
      ],
      [
        'nobody took it for too long',
        { seconds: 301 },
        'False',
        'StartDeadlineExceeded',
        'It could not begin within 300 s (startDeadlineSeconds). Nothing was changed; create it again if it is still wanted.',
      ],
      [
        'another server is primary by now',
        { spec: { expectedPrimary: 'db-9' } },
        'False',
        'NotPrimaryAnymore',
        'Expected primary db-9, but db-1 is primary (epoch 8). Nothing was changed.',
      ],
      [
        'its target is primary already',
        { spec: { target: 'db-1' } },
        'False',
        'PreconditionFailed',
        'db-1 is the primary already. Healthy candidates: db-2 (0 s), db-3 (2 s).',
      ],
      [
        'its target is too far behind',
        { spec: { target: 'db-3' }, replicas: [{ server: 'db-3', lag: 31 }] },
        'False',
        'PreconditionFailed',
        'db-3 cannot be promoted: it is 31 s behind (limit 30 s). There is no healthy candidate.',
      ],
      [
        'there is no replica',
        noReplica,
        'False',
        'PreconditionFailed',
        'No replica can be promoted. There is no healthy candidate.',
      ],
      [
        'there is no such cluster',
        { cluster: 'gone', seconds: 10 },
        'False',
        'PreconditionFailed',
        'There is no MySQLCluster db in this namespace.',
      ],
      [
        'the cluster is being deleted',
        { isClusterDeleted: true },
        'False',
        'PreconditionFailed',
        'MySQLCluster db is being deleted.',
      ],
      [
        'the cluster has no primary yet',
        { cluster: { primary: undefined } },
        'False',
        'PreconditionFailed',
        'db has no primary yet.',
      ],
      [
        'a person says that the controller made it',
        { spec: { trigger: 'Automatic' } },
        'False',
        'PreconditionFailed',
        '`trigger` Automatic is what the controller writes. Leave it out; mode Forced does what it does.',
      ],

      // The engine has it.
      ['it runs', running, 'Unknown', 'Running', step],
      ['the primary has died', completed, 'True', 'Completed', lossless],
      [
        'a local proxy was not led to the new primary',
        deafProxy,
        'True',
        'CompletedWithWarnings',
        /^Epoch 2: .* No acknowledged write was lost\. UpdateProxies: 1 of 2 local proxies; app-2: it does not answer\.$/,
      ],
      [
        'the primary answers again',
        healthy,
        'False',
        'PrimaryHealthy',
        'db-1 answers again; nothing was changed.',
      ],
      [
        'nobody is left',
        powerLost('db-1', 'db-2', 'db-3'),
        'False',
        'NoCandidate',
        'Nobody can replace db-1: no replica answers.',
      ],
      [
        'nobody is proven to hold every write',
        powerLost('db-1', 'db-2'),
        'False',
        'PossibleDataLoss',
        /^db-1 is dead since .*, and 1 of 2 acknowledging replicas answer and 2 are needed.* Nothing was changed\. Choose: /,
      ],
      [
        'nothing proves that the old primary has stopped',
        unfenceable,
        'False',
        'CannotFence',
        /^db-1 cannot be proven stopped: .* Nothing was promoted \(whenUnfenceable: Block\); it goes on as soon as the machine has stopped\.$/,
      ],
      [
        'the target does not catch up in time',
        slowTarget,
        'False',
        'RolledBack',
        /^db-2: .*\. db-1 takes writes again\.$/,
      ],
      [
        'the target does not catch up in time, and the old primary cannot be opened again',
        shutForGood,
        'False',
        'StepFailed',
        /^db-2: .*\. db-1 does not (take writes: .*|answer); it is opened as soon as it obeys\.$/,
      ],
      [
        'the new primary dies before it serves',
        lostPrimary,
        'False',
        'StepFailed',
        /^The new primary has failed before the change was complete: db-[23] does not answer\.$/,
      ],
    ],
    Finished: [
      ['it waits', other, 'False', 'Queued', 'It waits: Promotion other runs.'],
      ['it runs', running, 'False', 'Running', ''],
      ['the primary has died', completed, 'True', 'Completed', lossless],
      ['done, with a warning', deafProxy, 'True', 'Completed', /UpdateProxies: /],
      ['refused', noReplica, 'True', 'Failed', /^No replica can be promoted\./],
      ['the primary answers again', healthy, 'True', 'Failed', /nothing was changed\.$/],
      ['the target does not catch up in time', slowTarget, 'True', 'Failed', /^db-2: /],
    ],
  },
  passing: {
    Reconciling: [
      ['it waits', other, 'True', 'Queued', 'It waits: Promotion other runs.'],
      ['it runs', running, 'True', 'Running', step],
      ['it is done', completed, 'absent'],
      ['refused', noReplica, 'absent'],
      ['it failed', healthy, 'absent'],
      ['nothing is known yet', { cluster: 'gone', seconds: 9 }, 'absent'],
    ],
    Stalled: [
      ['it waits', other, 'absent'],
      ['it runs', running, 'absent'],
      ['it is done', completed, 'absent'],
      ['a false alarm', healthy, 'absent'],
      ['refused', noReplica, 'True', 'PreconditionFailed', /^No replica can be promoted\./],
      [
        'nobody is left',
        powerLost('db-1', 'db-2', 'db-3'),
        'True',
        'NoCandidate',
        /^Nobody can replace db-1/,
      ],
      ['the target does not catch up in time', slowTarget, 'True', 'RolledBack', /^db-2: /],
    ],
  },
});
