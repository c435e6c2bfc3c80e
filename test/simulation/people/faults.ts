/** What machines, networks and clouds do by themselves. */
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { members, named, pickPrimary, pickReplica, pickServer } from './victims.ts';

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
  'silence of the primary to the controller': blow(
    2,
    'the controller is cut off from',
    pickPrimary,
    (house, address) => house.databases.partition(address, 'controller'),
  ),
  'suspend of the primary': blow(1, 'suspend of', pickPrimary, suspend),
  'cut of a replica': blow(2, 'the primary is cut off from', pickReplica, (house, address) => {
    if (house.primary !== undefined) house.databases.partition(house.primary, address);
  }),
  'return of the replicas': {
    weight: 2,
    happen: (house) => {
      const { databases, machinery } = house;
      const others = members(house).flatMap(({ status }) => status?.privateIP ?? []);
      for (const address of others.filter((one) => one !== house.primary)) {
        if (machinery.database(address) === undefined) continue;
        for (const place of [...others, 'controller', 'clients']) databases.mend(place, address);
        databases.resume(address);
        machinery.boot(address);
        databases.restart(address);
      }
      return 'all replicas are there again, and whoever they talk to';
    },
  },
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
  'outage of a zone': {
    weight: 3,
    happen: (house, random) => {
      const addresses = members(house).flatMap(({ status }) => status?.privateIP ?? []);
      const places = [...addresses, 'controller'];
      const dark = places.filter(() => random.chance(0.5));
      const lit = places.filter((place) => !dark.includes(place));
      if (dark.length === 0 || lit.length === 0) return undefined;
      for (const one of dark) for (const other of lit) house.databases.partition(one, other);
      return `${dark.join(', ')} are cut off from ${lit.join(', ')}`;
    },
  },
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
  'SIGTERM of the controller': {
    weight: 2,
    happen: (house, random) => {
      if (!house.isControlled) return undefined;
      const grace = random.pick([0, 1_000, 5_000]);
      house.terminate(grace);
      return `SIGTERM to the controller, which has ${grace / 1_000} s; another begins then`;
    },
  },
  'lost answers of the cloud': {
    weight: 1,
    happen: ({ site }, random) => {
      const calls = ['launch', 'stop', 'terminate'] as const;
      const [call, times] = [random.pick(calls), 1 + random.below(3)];
      site.cloud.machines.faults.failAfterCommit(call, 'cloud.ambiguous', times);
      return `EC2 does what the next ${times} calls of ${call} ask for, and its answers are lost`;
    },
  },
  'lost answers of the API server': {
    weight: 1,
    happen: ({ site: { kube } }, random) => {
      const verb = random.pick(['writeStatus', 'create', 'patch', 'delete'] as const);
      kube.loseNextAnswer(verb);
      return `the answer to the next ${verb} is lost`;
    },
  },
  'refusals of the API server': {
    weight: 1,
    happen: ({ site: { kube } }, random) => {
      const code = random.pick(['kube.conflict', 'kube.unavailable', 'kube.throttled'] as const);
      const times = 1 + random.below(4);
      for (let time = 0; time < times; time += 1) kube.failNext('writeStatus', code);
      return `the API server refuses ${times} writes of status: ${code}`;
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
