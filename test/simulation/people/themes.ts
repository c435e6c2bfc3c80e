/** Sequences of happenings that belong together: each leads to where one rule of safety is all that saves a write. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Random } from '../random.ts';
import type { HappeningName } from './happenings.ts';

/** When it comes after the one before, and one of what. */
type Scene = readonly [gap: readonly [least: Millis, most: Millis], ...names: HappeningName[]];

const atOnce = [0, 0] as const;
const soon = [200, 3_000] as const;
const ends = [
  'power of the primary',
  'power of the primary',
  'crash of the primary',
  'hang of the primary',
] as const;

const themes: readonly (readonly Scene[])[] = [
  // One replica has more than the other.
  [
    [atOnce, 'slow network of a replica'],
    [atOnce, 'slow applier', 'slow appliers', 'cut of a replica', 'slow network of a replica'],
    [soon, 'cut of a replica', 'slow applier'],
    [soon, ...ends, 'gone after the newest write'],
  ],
  [
    [atOnce, 'slow appliers'],
    [soon, ...ends, 'gone after the newest write'],
  ],
  [
    [atOnce, 'slow network of a replica'],
    [atOnce, 'gone with the newest write'],
    [[15_000, 40_000], 'power returns', 'mending of networks'],
  ],
  // Whoever has more leads, and dies before the other has it.
  [
    [atOnce, 'death of who was just elected'],
    [atOnce, 'cut of a replica', 'slow network of a replica'],
    [soon, ...ends, 'gone after the newest write'],
    [[4_000, 8_000], 'mending of networks'],
  ],
  // The old primary goes on, unheard.
  [
    [atOnce, 'slow network of a replica', 'a replica hears no more when others are frozen'],
    [atOnce, 'silence of the primary to the controller', 'isolation of the primary'],
    [atOnce, 'a replica hears no more when others are frozen', 'ambush of an acker'],
    [soon, 'forced promotion'],
  ],
  // The primary is alone, and its commits stop waiting.
  [
    [
      atOnce,
      'death between act and record',
      'death where commits stop waiting',
      'a controller that stands still over what commits wait for',
    ],
    [atOnce, 'loss of all ackers'],
    [[12_000, 25_000], 'mending of networks', 'return of the replicas'],
    [soon, 'return of the replicas'],
  ],
  // They wait again.
  [
    [atOnce, 'slow network of a replica'],
    [atOnce, 'loss of all ackers'],
    [
      [12_000, 16_000],
      'death where commits wait again',
      'death between act and record',
      'a controller that stands still over what commits wait for',
    ],
    [atOnce, 'return of the replicas'],
    [[2_000, 15_000], 'cut of a replica', 'ambush of the primary', ...ends],
  ],
  // Orders of long ago arrive.
  [
    [atOnce, 'a controller that stands still', 'a controller that stands still while the primary changes'],
    [atOnce, 'planned promotion'],
    [[18_000, 25_000], 'planned promotion', 'forced promotion', ...ends],
    [[3_000, 10_000], 'planned promotion', ...ends],
  ],
  // Who is in the cluster, while its primary is in doubt.
  [
    [
      atOnce,
      'silence of the primary to the controller',
      'suspend of the primary',
      'hang of the primary',
      'stop of the primary',
    ],
    [
      soon,
      'scaling',
      'deletion of a replica',
      'deletion of any server',
      'power of a replica',
      'termination in EC2',
    ],
    [soon, 'deletion of the primary', 'scaling', 'deletion of all servers', 'death of the controller'],
  ],
  // What only some have, and who is given up for it.
  [
    [atOnce, 'errant row'],
    [soon, 'scaling', 'deletion of a replica', 'power of a replica', 'termination in EC2'],
    [[15_000, 30_000], 'deletion of any server', 'planned promotion', 'scaling'],
  ],
  [
    [atOnce, 'deletion of all servers', 'end of all machines'],
    [soon, 'end of all machines', 'deletion of all servers'],
  ],
  // The last one that has it goes.
  [
    [atOnce, 'slow network of a replica'],
    [atOnce, 'deletion of a replica', 'deletion of any server'],
    [atOnce, 'death where commits wait again', 'ambush of the primary', 'gone after the newest write'],
    [soon, 'cut of a replica', ...ends],
  ],
  [
    [atOnce, 'scaling', 'failed servers are not kept'],
    [soon, 'power of a replica', 'stop of a machine', 'errant row', 'crash of a replica'],
    [[2_000, 20_000], 'scaling', 'deletion of a replica', ...ends],
  ],
];

/** What happens in a story of one theme, as time since the one before and a name. */
export function sceneFrom(
  random: Random,
): readonly { readonly after: Millis; readonly name: HappeningName }[] {
  return random.pick(themes).map(([[least, most], ...names]) => ({
    after: least + random.below(most - least + 1),
    name: random.pick(names),
  }));
}
