/** Places that the controller passes, where it matters most what happens at that moment. */
import { type FailpointName, failpointNames } from '../../../controller/base/failpoints.ts';
import type { Random } from '../random.ts';

/** Of what databases rest on; the rest of the controller has a simulation of its own. */
const failpoints = failpointNames.filter((name) =>
  /^(?:durability|failover|rejoin|credentials|delete)\./.test(name),
);

/** Where the death of the new primary hurts most. */
const aroundCommit = [
  'failover.before-commit',
  'failover.after-commit',
  'failover.after-take-lead',
  'failover.after-follow',
  'failover.after-open',
] as const satisfies readonly FailpointName[];

/** Calls that change something: on a server, or in the API server. */
const calls = [
  'writeStatus',
  'writeStatus',
  'create',
  'freeze',
  'thaw',
  'takeLead',
  'requireAcks',
  'acknowledge',
  'follow',
  'open',
  'close',
  'setAside',
  'delete',
].map((name) => `call ${name}`);

/** Groups of them, by what is under way there. */
const places = {
  'what commits wait for changes': [
    ...failpoints.filter((name) => name.startsWith('durability.')),
    'call requireAcks',
    'call acknowledge',
  ],
  'the primary changes': failpoints.filter((name) => name.startsWith('failover.')),
  'the new epoch is on record': aroundCommit,
  'replicas are frozen': ['failover.after-start-recorded', 'failover.after-freeze'],
  'commits wait again': [
    'durability.after-armed',
    'durability.after-protected-recorded',
    'durability.after-protected-recorded',
    'durability.after-acker-enabled',
    'durability.after-acker-removed',
  ],
  'commits stop waiting': [
    'durability.after-degrading-recorded',
    'durability.after-releasing-recorded',
    'durability.after-released',
    'call requireAcks',
  ],
  'orders are sent': calls,
  anywhere: failpoints,
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Place = keyof typeof places;

const usual: readonly Place[] = [
  'what commits wait for changes',
  'the primary changes',
  'the primary changes',
  'orders are sent',
  'anywhere',
];

/** One place of the group, or of any. */
export function pickPlace(random: Random, group?: Place): string {
  return random.pick<string>(places[group ?? random.pick(usual)]);
}
