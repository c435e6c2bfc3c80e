/** Situations of a ServerArray, and what it says of its scaling: whether votes move it, and what holds it back. */
import type { Rows } from '../condition-tables.ts';
import { ago, inStates, load, type Scene, voter, voting } from './conditions-scene.ts';

const measure = {
  name: 'queue',
  source: 'Script',
  scriptRef: { name: 'queue' },
  growAbove: '5',
  shrinkBelow: '1',
};
const schedule = (cron: string, timeZone = 'Etc/UTC') => ({
  name: 'night',
  cron,
  timeZone,
  minReplicas: 1,
  maxReplicas: 1,
});
const overruled: Scene['status'] = {
  scale: {
    replicas: 2,
    fromReplicas: 3,
    cause: 'Votes',
    written: true,
    overruled: [ago(500), ago(100)],
  },
};
const contended: Scene = { ...voting([1, 1]), status: overruled, otherWriter: 'argocd-controller' };
const replicas = (count: number, scene: Scene): Scene => ({
  ...scene,
  spec: { ...scene.spec, replicas: count },
  members: inStates(...Array<string>(count).fill('Operational')),
});
const resized = (scene: Scene): Scene => ({ ...scene, status: { lastScaleTime: ago(100) } });
const many = inStates('Operational', 'Operational', 'Unhealthy', 'Unhealthy', 'Unhealthy');

export const scalingActiveRows: Rows<'ServerArray', Scene, 'ScalingActive'> = [
  [
    'people scale it',
    {},
    'True',
    'ManualOnly',
    'There is no spec.autoscaling; people and other autoscalers scale it.',
  ],
  ['all vote', voting([1, 1]), 'True', 'ValidMetricFound', '2 of 2 servers vote.'],
  [
    'half of them vote, and the silent one is named',
    {
      ...voting([1]),
      voters: [voter('a', 1), voter('b', undefined, { Load: 'could not be asked: timeout' })],
    },
    'True',
    'ValidMetricFound',
    '1 of 2 servers vote. Metric load: No number from 1 of 2 servers: b could not be asked: timeout.',
  ],
  [
    'most are silent',
    voting([1, undefined, undefined]),
    'False',
    'MetricUnavailable',
    '1 of 3 servers vote. Metric load: No number from 2 of 3 servers: b, c. Nothing is changed without numbers.',
  ],
  [
    'their numbers are too old',
    { ...voting([1, 1], { periodSeconds: 10 }), now: Date.parse(ago(-21)) },
    'False',
    'MetricUnavailable',
    '0 of 2 servers vote. Metric load: No number from 2 of 2 servers: a, b. Nothing is changed without numbers.',
  ],
  ['nobody votes', voting([]), 'False', 'NoVotes', 'No server in service votes.'],
  [
    'there is nothing to vote on',
    voting([1, 1], { metrics: [] }),
    'False',
    'NoVotes',
    'There are no metrics to vote on.',
  ],
  [
    'a Script cannot measure',
    {
      ...voting([1, 1], { metrics: [load, measure] }),
      unusableScripts: { queue: 'does not exist' },
    },
    'False',
    'ScriptUnusable',
    'Metric queue: Script/queue does not exist. Correct the Script or spec.autoscaling.metrics; until then nothing shrinks.',
  ],
  [
    'a schedule cannot be read',
    voting([1, 1], { schedules: [schedule('0 25 * * *')] }),
    'False',
    'ScheduleInvalid',
    /^Schedule night: '0 25 \* \* \*' is not a five-field cron expression: .* It is left out\.$/,
  ],
  [
    'a schedule never fires',
    voting([1, 1], { schedules: [schedule('0 0 30 2 *')] }),
    'False',
    'ScheduleInvalid',
    "Schedule night: '0 0 30 2 *' never fires; correct its day and month. It is left out.",
  ],
  [
    'a schedule is in a time zone that there is not',
    voting([1, 1], { schedules: [schedule('0 22 * * *', 'Berlin')] }),
    'False',
    'ScheduleInvalid',
    "Schedule night: 'Berlin' is not an IANA time zone; write it like Europe/Berlin. It is left out.",
  ],
  [
    'between two ballots, what the last one said',
    { ...voting([1, undefined, undefined]), after: voting([1, 1]) },
    'True',
    'ValidMetricFound',
    '2 of 2 servers vote.',
  ],
  ['before its first look', { metadata: { finalizers: [] } }, 'Unknown', 'NoVotes', 'Not looked at yet.'],
];

const free = 'Nothing holds the wanted number back.';

export const scalingLimitedRows: Rows<'ServerArray', Scene, 'ScalingLimited'> = [
  ['people scale it', {}, 'False', 'DesiredWithinRange', free],
  ['no majority', voting([1, 1]), 'False', 'DesiredWithinRange', 'The wanted number is held within 1..3.'],
  ['it grows', voting([5, 5]), 'False', 'DesiredWithinRange', 'The wanted number is held within 1..3.'],
  [
    'a schedule holds it',
    voting([1, 1], { schedules: [{ ...schedule('0 22 * * *'), maxReplicas: 2 }] }),
    'False',
    'DesiredWithinRange',
    'The wanted number is held within 1..2 (schedule night).',
  ],
  [
    'more are voted for than the ceiling allows',
    replicas(3, voting([5, 5])),
    'True',
    'TooManyReplicas',
    '3 is at the end of 1..3.',
  ],
  [
    'fewer are voted for than the floor allows',
    replicas(1, voting([0, 0])),
    'True',
    'TooFewReplicas',
    '1 is at the end of 1..3.',
  ],
  [
    'it grew a moment ago',
    resized(voting([5, 5])),
    'True',
    'CalmPeriod',
    'The last resize is too recent; calmUpSeconds and calmDownSeconds set how long to wait.',
  ],
  [
    'long enough ago',
    resized(voting([5, 5], { calmUpSeconds: 100 })),
    'False',
    'DesiredWithinRange',
    /within 1\.\.3/,
  ],
  [
    'servers are on their way',
    { ...voting([5]), members: inStates('Operational', 'Booting') },
    'True',
    'LaunchesUnderWay',
    'Servers on their way have had no chance to take load yet.',
  ],
  [
    'somebody else keeps changing it',
    contended,
    'True',
    'ReplicasContended',
    'argocd-controller has overruled the autoscaler 2 times in 10 min; spec.replicas is 2 and scaling is held. Remove replicas from what it applies, or remove spec.autoscaling.',
  ],
  [
    'somebody unknown does',
    { ...contended, otherWriter: undefined },
    'True',
    'ReplicasContended',
    /^another writer has overruled the autoscaler 2 times/,
  ],
  [
    'votes want fewer, but many are ill',
    { ...replicas(2, voting([0, 0])), members: many },
    'True',
    'ReplacementPaused',
    'Votes ask for fewer servers, but so many are not well that none is taken away.',
  ],
  [
    'between two ballots, what the last one said',
    { ...voting([5, 5]), after: resized(voting([5, 5])) },
    'True',
    'CalmPeriod',
    /^The last resize is too recent/,
  ],
  ['before its first look', { metadata: { finalizers: [] } }, 'False', 'DesiredWithinRange', free],
];
