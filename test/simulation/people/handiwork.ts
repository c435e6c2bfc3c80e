/** What people type at a database server, past the controller. */
import { guardsOf, type Part } from '../../../controller/database/guards.ts';
import { otherValue, variablesOf } from '../../fakes/database-variables.ts';
import type { Handiwork } from '../../fakes/databases.ts';
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { named, pickPrimary, pickReplica } from './victims.ts';

type Pick = (house: House, random: Random) => string | undefined;

/** One of these statements. */
function typed(weight: number, choice: Readonly<Record<string, Handiwork>>, pick: Pick): Happening {
  return at(weight, pick, (house, address, random) => {
    const [statement, what] = random.pick(Object.entries(choice));
    house.pardons.byHand(address, what);
    house.databases.byHand(address, what);
    return statement;
  });
}

/** Semi-sync off, or any variable that failover rests on set to something else. */
function changed(weight: number, part: Part, pick: Pick): Happening {
  return at(weight, pick, (house, address, random) => {
    const { flavor } = house.setting;
    const rows = guardsOf(flavor).filter(({ wanted }) => wanted(part) !== undefined);
    const row = random.pick([undefined, ...rows]);
    if (row === undefined) {
      house.pardons.byHand(address, 'semiSyncOff');
      house.databases.byHand(address, 'semiSyncOff');
      return 'semi-sync off';
    }
    const { name } = row;
    const value = otherValue(name, variablesOf(house.databases.server(address))[name] ?? '');
    house.pardons.setByHand(address, name);
    house.databases.setByHand(address, name, value);
    return `${name} = ${value}`;
  });
}

function at(
  weight: number,
  pick: Pick,
  type: (house: House, address: string, random: Random) => string,
): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      if (address === undefined || house.machinery.database(address)?.speaks !== true) return undefined;
      return `${type(house, address, random)} on ${named(house, address)}`;
    },
  };
}

const ofPrimary: Part = { isPrimary: true, isAcker: false, waitsFor: 1, syncsReceived: true };
const ofReplica: Part = { isPrimary: false, isAcker: true, waitsFor: 0, syncsReceived: true };
const stops = {
  'STOP REPLICA': 'stopReplica',
  'STOP REPLICA IO_THREAD': 'stopReceiver',
  'STOP REPLICA SQL_THREAD': 'stopApplier',
  'RESET REPLICA ALL': 'forgetSource',
  'CHANGE REPLICATION SOURCE': 'followNobody',
} as const;

export const handiwork = {
  'writable replica': typed(3, { 'read_only=OFF': 'takeWrites' }, pickReplica),
  'stopped replica': typed(3, stops, pickReplica),
  'errant row': typed(2, { 'an errant row': 'writeErrant' }, pickReplica),
  'changed variable of the primary': changed(2, ofPrimary, pickPrimary),
  'changed variable of a replica': changed(2, ofReplica, pickReplica),
} as const satisfies Readonly<Record<string, Happening>>;
