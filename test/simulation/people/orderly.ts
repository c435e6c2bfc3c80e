/** Ends that are asked for politely: SIGTERM, stopped and rebooted machines. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';
import { named, pickPrimary, pickReplica, pickServer } from './victims.ts';

const rebootTakes: Millis = 20_000;

type Pick = (house: House, random: Random) => string | undefined;

/** `systemctl stop`, or restart. */
function terminate(weight: number, pick: Pick, comesBack: boolean): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      if (address === undefined) return undefined;
      house.machinery.terminate(address);
      if (comesBack) house.later(2_000, () => house.databases.restart(address));
      return `SIGTERM to the database of ${named(house, address)}${comesBack ? ', which starts again' : ''}`;
    },
  };
}

function reboot(weight: number, pick: Pick): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      if (address === undefined || house.machinery.database(address)?.host !== 'Up') return undefined;
      house.machinery.endOrderly(address);
      house.later(rebootTakes, () => house.machinery.boot(address));
      return `reboot of ${named(house, address)}`;
    },
  };
}

/** In the console of EC2; somebody starts it again later, or nobody does. */
function stopMachine(weight: number, pick: Pick): Happening {
  return {
    weight,
    happen: (house, random) => {
      const address = pick(house, random);
      const machine = house.machinery.machineAt(address);
      if (address === undefined || machine === undefined) return undefined;
      void house.site.cloud.machines.stop(machine.id, { skipOsShutdown: false }).catch(() => undefined);
      const back = random.pick([undefined, 10_000, 60_000]);
      if (back !== undefined) house.later(back, () => startMachine(house, machine.id));
      const then = back === undefined ? '' : `, started again ${back / 1_000} s later`;
      return `a person stops the machine of ${named(house, address)} in EC2${then}`;
    },
  };
}

function startMachine({ site }: House, id: string): void {
  void site.cloud.machines.start(id).catch(() => undefined);
}

export const orderlyEnds = {
  'SIGTERM of the primary': terminate(4, pickPrimary, false),
  'SIGTERM of a replica': terminate(2, pickReplica, false),
  'restart of a database': terminate(3, pickServer, true),
  'reboot of the primary': reboot(3, pickPrimary),
  'reboot of a replica': reboot(2, pickReplica),
  'stop of a machine': stopMachine(3, pickServer),
  'stop of the primary': stopMachine(2, pickPrimary),
} as const satisfies Readonly<Record<string, Happening>>;
