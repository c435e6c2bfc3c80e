/** What happens at the very moment that matters: when the controller passes a place, or a write was just acknowledged. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Random } from '../random.ts';
import { acknowledged } from './ambushes.ts';
import { ackersOf, type Blow, listed, pickBlow, pickEnd, strike, type Victims, victims } from './blows.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { type Place, pickPlace } from './places.ts';
import { named, pickReplica } from './victims.ts';

const delays: readonly Millis[] = [0, 0, 2, 5, 40, 150, 600];
/** Right then. */
const atOnce: readonly Millis[] = [0, 0, 2, 10];
const absences: readonly Millis[] = [2_000, 15_000];

interface Ambush {
  readonly at?: Place;
  /** Else any. */
  readonly blow?: Blow;
  readonly delay?: readonly Millis[];
  /** How often the controller goes, too. */
  readonly withController?: number;
}

/** Somebody is struck when the controller passes a place, or a moment later. */
function ambush(
  weight: number,
  whom: Victims,
  { at, blow, delay: within = delays, withController = 0.3 }: Ambush = {},
): Happening {
  return {
    weight,
    happen: (house, random) => {
      const [place, count] = [pickPlace(random, at), random.chance(0.7) ? 1 : 2];
      const [chosen, delay, away] = [blow ?? pickBlow(random), random.pick(within), random.pick(absences)];
      const isAlsoController = random.chance(withController);
      house.ambushes.set(place, count, () => {
        house.soon(delay, () => {
          if (isAlsoController) die(house, away);
          strike(house, chosen, victims[whom](house), `${delay} ms after ${place}`);
        });
      });
      return `${whom} will be struck at ${place}${isAlsoController ? ', with the controller' : ''}`;
    },
  };
}

function die(house: House, away: Millis): void {
  if (!house.isControlled) return;
  house.kill();
  house.tell(`the controller dies, back after ${away / 1_000} s`);
  house.later(away, () => house.start());
}

/** Between what it does and the record of it, or the other way round. */
const betweenActAndRecord: Happening = {
  weight: 5,
  happen: (house, random) => {
    const place = pickPlace(random, random.pick(['what commits wait for changes', 'orders are sent']));
    const [blow, delay, away] = [pickEnd(random), random.pick(delays), random.pick(absences)];
    house.ambushes.set(place, random.chance(0.7) ? 1 : 2, () => {
      house.ambushes.set('call writeStatus', 1, () => {
        die(house, away);
        house.soon(delay, () => strike(house, blow, listed(house.primary), `${delay} ms after that`));
      });
    });
    return `the controller will die where it writes its status after ${place}, and the primary with it`;
  },
};

/** The primary dies right after a write that only some of its ackers have; those go too, or stay. */
function afterTheNewest(weight: number, takesHolders: boolean): Happening {
  return {
    weight,
    happen: (house, random) => {
      const blow = pickEnd(random);
      const wait = (tries: number) => house.ambushes.set(acknowledged, 1, () => fall(tries));
      const fall = (tries: number) => {
        const { primary, machinery, databases } = house;
        const key = databases.acknowledgements.at(-1)?.key ?? '';
        const ackers = ackersOf(house);
        const holders = ackers.filter((address) => machinery.keysOn(address).includes(key));
        const isDivided = holders.length > 0 && holders.length < ackers.length;
        if (!isDivided && tries > 0) wait(tries - 1);
        else
          strike(
            house,
            blow,
            [...listed(primary), ...(isDivided && takesHolders ? holders : [])],
            'right after a write',
          );
      };
      wait(60);
      return `the primary will go right after a write${takesHolders ? ', with those who hold it' : ''}`;
    },
  };
}

/** The controller stands still at a place, another takes over, and what the first had sent arrives in the middle of that. */
function standStill(weight: number, at: Place, again?: Place): Happening {
  return {
    weight,
    happen: (house, random) => {
      const [place, count] = [pickPlace(random, at), random.chance(0.7) ? 1 : 2];
      const back = again === undefined ? undefined : pickPlace(random, again);
      const after = random.pick([500, 5_000, 15_000, 40_000]) + random.below(1_000);
      const blow = random.chance(0.7) ? pickBlow(random) : undefined;
      const delay = random.pick([0, 5, 100, 600, 1_500]);
      const goOn = (wake: () => boolean) => {
        if (!wake()) return;
        house.tell('what the controller had sent when it stood still arrives');
        house.clients.hurry();
        if (blow === undefined) return;
        house.soon(delay, () => strike(house, blow, listed(house.primary), `${delay} ms after that`));
      };
      house.ambushes.set(place, count, () => {
        const wake = house.pause();
        if (wake === undefined) return;
        house.tell(`the controller stands still at ${place}`);
        house.later(15_000, () => {
          house.start();
          if (back !== undefined) house.ambushes.set(back, 1, () => goOn(wake));
          house.soon(back === undefined ? after : 60_000, () => goOn(wake));
        });
      });
      return `the controller will stand still at ${place}`;
    },
  };
}

/** Commits of the primary wait for nobody from now on. */
const leftAlone: Happening = {
  weight: 5,
  happen: (house, random) => {
    const { primary } = house;
    const ackers = ackersOf(house);
    if (primary === undefined || ackers.length === 0) return undefined;
    const blow = random.pick(['the primary is cut off from', 'crash of', 'power cut of', 'hang of'] as const);
    strike(house, blow, ackers, 'all ackers at once');
    return 'the primary is alone';
  },
};

function applyLate(weight: number, pick: (house: House, random: Random) => readonly string[]): Happening {
  return {
    weight,
    happen: (house, random) => {
      const [addresses, applyDelay] = [pick(house, random), random.pick([1_000, 3_000, 8_000])];
      for (const address of addresses) {
        house.databases.trouble(address, { applyDelay });
        house.regrets.push(() => house.databases.trouble(address, { applyDelay: 0 }));
      }
      const names = addresses.map((address) => named(house, address)).join(', ');
      return addresses.length === 0 ? undefined : `${names} apply ${applyDelay / 1_000} s late`;
    },
  };
}

export const momentsThatMatter = {
  'ambush of the primary': ambush(6, 'the primary'),
  'ambush of who is to lead': ambush(4, 'who is to lead'),
  'ambush of an acker': ambush(3, 'an acker'),
  'ambush of the primary and an acker': ambush(3, 'the primary and an acker'),
  'ambush of all ackers': ambush(2, 'all ackers'),
  'death where commits wait again': ambush(2, 'the primary', {
    at: 'commits wait again',
    blow: 'power cut of',
    delay: atOnce,
  }),
  'death where commits stop waiting': ambush(2, 'the primary', {
    at: 'commits stop waiting',
    blow: 'power cut of',
    delay: atOnce,
  }),
  'death of who was just elected': ambush(2, 'who is to lead', {
    at: 'the new epoch is on record',
    withController: 0.1,
  }),
  'a replica hears no more when others are frozen': ambush(1, 'another acker', {
    at: 'replicas are frozen',
    blow: 'the primary is cut off from',
    withController: 0,
  }),
  'death between act and record': betweenActAndRecord,
  'gone with the newest write': afterTheNewest(5, true),
  'gone after the newest write': afterTheNewest(5, false),
  'a controller that stands still': standStill(3, 'orders are sent'),
  'a controller that stands still while the primary changes': standStill(
    2,
    'orders are sent',
    'the primary changes',
  ),
  'a controller that stands still over what commits wait for': standStill(2, 'what commits wait for changes'),
  'loss of all ackers': leftAlone,
  'death of the controller at a place': {
    weight: 5,
    happen: (house, random) => {
      const [place, away] = [pickPlace(random), random.pick([0, ...absences])];
      house.ambushes.set(place, 1 + random.below(2), () => die(house, away));
      return `the controller will die at ${place}`;
    },
  },
  'slow network of a replica': {
    weight: 3,
    happen: (house, random) => {
      const address = pickReplica(house, random);
      if (address === undefined) return undefined;
      const distance = random.pick([200, 500, 900]);
      house.databases.trouble(address, { distance });
      house.regrets.push(() => house.databases.trouble(address, { distance: 0 }));
      return `what is sent to ${named(house, address)} takes ${distance} ms`;
    },
  },
  'slow applier': applyLate(2, (house, random) => listed(pickReplica(house, random))),
  'slow appliers': applyLate(2, ackersOf),
} as const satisfies Readonly<Record<string, Happening>>;
