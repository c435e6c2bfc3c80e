/** Blows that fall on whoever plays a part when they fall: the primary, who is to lead, ackers. */
import { isFinished } from '../../../controller/api/promotion.ts';
import type { Random } from '../random.ts';
import type { House } from './house.ts';
import { named } from './victims.ts';

const blows = {
  'power cut of': ({ machinery }, address) => machinery.cutPower(address),
  'crash of': ({ databases }, address) => databases.crash(address),
  'hang of': ({ databases }, address) => databases.hang(address),
  'suspend of': ({ databases }, address) => databases.suspend(address),
  'SIGTERM to the database of': ({ machinery }, address) => machinery.terminate(address),
  'everybody is cut off from': ({ databases }, address) => databases.isolate(address),
  'everybody but its clients is cut off from': ({ databases }, address) =>
    databases.isolate(address, ['controller']),
  'the controller is cut off from': ({ databases }, address) => databases.partition(address, 'controller'),
  'the primary is cut off from': ({ databases, primary }, address) => {
    if (primary !== undefined && primary !== address) databases.partition(address, primary);
  },
} as const satisfies Readonly<Record<string, (house: House, address: string) => void>>;

export type Blow = keyof typeof blows;

/** Who dies at once; what only it had is gone with it. */
const ends: readonly Blow[] = ['power cut of', 'power cut of', 'power cut of', 'crash of', 'hang of'];

export function pickEnd(random: Random): Blow {
  return random.pick(ends);
}

export function pickBlow(random: Random): Blow {
  return random.chance(0.6) ? pickEnd(random) : random.pick(Object.keys(blows) as Blow[]);
}

/** By the part they play, when a blow falls. */
export const victims = {
  'the primary': ({ primary }) => listed(primary),
  'who is to lead': (house) => listed(candidate(house) ?? house.primary),
  'an acker': (house) => ackersOf(house).slice(0, 1),
  'another acker': (house) => ackersOf(house).slice(-1),
  'the primary and an acker': (house) => [...listed(house.primary), ...ackersOf(house).slice(0, 1)],
  'all ackers': (house) => ackersOf(house),
} as const satisfies Readonly<Record<string, (house: House) => readonly string[]>>;

export type Victims = keyof typeof victims;

/** Addresses of all that the record counts on. */
export function ackersOf(house: House): readonly string[] {
  const { ackers = [] } = house.cluster?.status?.durability ?? {};
  return ackers.flatMap((name) => house.server(name)?.status?.privateIP ?? []);
}

/** Strikes all that were there once, and tells it; `when` says what that was the moment of. */
export function strike(house: House, blow: Blow, addresses: readonly string[], when: string): void {
  for (const address of addresses) {
    if (house.machinery.database(address) === undefined) continue;
    house.tell(`${blow} ${named(house, address)}, ${when}`);
    blows[blow](house, address);
  }
  house.machinery.follow();
}

export function listed(address: string | undefined): readonly string[] {
  return address === undefined ? [] : [address];
}

function candidate(house: House): string | undefined {
  const open = house.promotions.find((one) => !isFinished(one));
  return house.server(open?.status?.newPrimary)?.status?.privateIP;
}
