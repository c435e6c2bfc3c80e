/** What people type at a database server, past the controller. */
import type { Handiwork } from '../../fakes/databases.ts';
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { named, pickPrimary, pickReplica } from './victims.ts';

type Pick = (house: House, random: Random) => string | undefined;

function typed(weight: number, statement: string, what: Handiwork, pick: Pick): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      if (address === undefined || house.machinery.database(address)?.speaks !== true) return undefined;
      house.pardons.byHand(address, what);
      house.databases.byHand(address, what);
      return `${statement} on ${named(house, address)}`;
    },
  };
}

export const handiwork = {
  'writable replica': typed(3, 'read_only=OFF', 'takeWrites', pickReplica),
  'stopped replica': typed(3, 'STOP REPLICA', 'stopReplica', pickReplica),
  'errant row': typed(2, 'an errant row', 'writeErrant', pickReplica),
  'no semi-sync on the primary': typed(2, 'semi-sync off', 'semiSyncOff', pickPrimary),
  'no semi-sync on a replica': typed(2, 'semi-sync off', 'semiSyncOff', pickReplica),
} as const satisfies Readonly<Record<string, Happening>>;
