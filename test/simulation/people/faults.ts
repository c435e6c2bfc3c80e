/** What machines, networks and clouds do by themselves. */
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { named, pickPrimary, pickReplica, pickServer } from './victims.ts';

type Pick = (house: House, random: Random) => string | undefined;
type Blow = (house: House, address: string) => void;

function blow(weight: number, verb: string, pick: Pick, strike: Blow): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      if (address === undefined) return undefined;
      strike(house, address);
      return `${verb} ${named(house, address)}`;
    },
  };
}

const crash: Blow = ({ databases }, address) => databases.crash(address);
const cutPower: Blow = ({ machinery }, address) => machinery.cutPower(address);
const hang: Blow = ({ databases }, address) => databases.hang(address);
const suspend: Blow = ({ databases }, address) => databases.suspend(address);

export const faults = {
  'crash of the primary': blow(6, 'crash of', pickPrimary, crash),
  'crash of a replica': blow(3, 'crash of', pickReplica, crash),
  'power of the primary': blow(6, 'power cut of', pickPrimary, cutPower),
  'power of a replica': blow(3, 'power cut of', pickReplica, cutPower),
  'hang of the primary': blow(3, 'hang of', pickPrimary, hang),
  'hang of a replica': blow(4, 'hang of', pickReplica, hang),
  'suspend of a server': blow(3, 'suspend of', pickServer, suspend),
  'isolation of the primary': blow(
    2,
    'everybody but its clients is cut off from',
    pickPrimary,
    (house, address) => house.databases.isolate(address, ['controller']),
  ),
  'isolation of a server': blow(2, 'everybody is cut off from', pickServer, (house, address) =>
    house.databases.isolate(address),
  ),
  'silence to the controller': blow(2, 'the controller is cut off from', pickServer, (house, address) =>
    house.databases.partition(address, 'controller'),
  ),
  partition: {
    weight: 3,
    happen: (house, random) => {
      const [one, other] = [pickServer(house, random), pickServer(house, random)];
      if (one === undefined || other === undefined || one === other) return undefined;
      house.databases.partition(one, other);
      return `cut between ${named(house, one)} and ${named(house, other)}`;
    },
  },
  'one-way cut': {
    weight: 1,
    happen: (house, random) => {
      const [one, other] = [pickServer(house, random), pickServer(house, random)];
      if (one === undefined || other === undefined || one === other) return undefined;
      house.databases.cut(one, other);
      return `cut from ${named(house, one)} to ${named(house, other)}`;
    },
  },
  'slow applier': blow(1, 'slow applier on', pickReplica, (house, address) => {
    house.databases.trouble(address, { applyDelay: 5_000 });
    house.regrets.push(() => house.databases.trouble(address, { applyDelay: 0 }));
  }),
  'full disk': blow(1, 'full disk on', pickServer, (house, address) => {
    house.databases.trouble(address, { disk: 'Full' });
    house.regrets.push(() => house.databases.trouble(address, { disk: 'Good' }));
  }),
  crowd: blow(2, 'no session is left for 4 s on', pickPrimary, (house, address) => {
    house.databases.trouble(address, { crowded: true });
    house.later(4_000, () => house.databases.trouble(address, { crowded: false }));
  }),
  'mending of networks': {
    weight: 4,
    happen: ({ databases, machinery }) => {
      databases.heal();
      for (const address of machinery.running) databases.resume(address);
      return 'networks and frozen machines are well again';
    },
  },
  'power returns': {
    weight: 4,
    happen: ({ machinery }) => {
      const dark = machinery.running.filter((address) => machinery.database(address)?.host === 'Off');
      for (const address of dark) machinery.boot(address);
      return dark.length === 0 ? undefined : 'power returns';
    },
  },
  retirement: blow(2, 'EC2 retires', pickServer, (house, address) => {
    const machine = house.machinery.machineAt(address);
    if (machine !== undefined) house.site.cloud.machines.force(machine.id, 'terminated');
    if (machine !== undefined) house.pardons.machines.add(machine.id);
  }),
  'death of the controller': {
    weight: 4,
    happen: (house, random) => {
      if (!house.isControlled) return undefined;
      const away = random.pick([0, 2_000, 15_000]);
      house.kill();
      house.later(away, () => house.start());
      return `the controller is killed, back after ${away / 1_000} s`;
    },
  },
  'throttled cloud': {
    weight: 1,
    happen: ({ site }) => {
      for (const call of ['launch', 'find', 'stop', 'terminate'] as const) {
        site.cloud.machines.faults.failNext(call, 'cloud.throttled', 2);
      }
      return 'EC2 throttles';
    },
  },
} as const satisfies Readonly<Record<string, Happening>>;
