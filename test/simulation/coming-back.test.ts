/** How long writes are out, by the virtual clock and on the controller's own queues, when servers go and come back. */
import { afterEach, expect, it, vi } from 'vitest';
import type { Millis } from '../../controller/base/clock.ts';
import { whatIsWrong } from './people/healing.ts';
import { House } from './people/house.ts';
import type { Setting } from './people/story.ts';

vi.setConfig({ testTimeout: 60_000 });

const setting: Setting = {
  flavor: 'MariaDB',
  version: '11.8',
  instances: 2,
  durability: 'Balanced',
  dataLoss: 'Refuse',
  oldPrimary: 'Quarantine',
  atMost: 20,
  fromNothing: true,
  copyTakes: 1_000,
};
/** Much less than what is measured. */
const moment: Millis = 50;

let house: House;

afterEach(() => {
  house.close();
});

async function up(changes: Partial<Setting> = {}): Promise<void> {
  house = new House(1, { ...setting, ...changes });
  await until(() => whatIsWrong(house) === undefined, 300);
}

/** Seconds until it is so. */
async function until(isDone: () => boolean, limit: number, step: Millis = 500): Promise<number> {
  const begin = house.second;
  while (!isDone()) {
    if (house.second - begin > limit) throw new Error(`not after ${limit} s: ${whatIsWrong(house)}`);
    await house.step(step);
  }
  return house.second - begin;
}

function replica(): string {
  const address = house.machinery.running.find((one) => one !== house.primary);
  if (address === undefined) throw new Error('there is no replica');
  return address;
}

it.each(['MariaDB', 'MySQL'] as const)(
  '%s: a replica whose process ends holds commits up for degradeAfterSeconds, and no second more',
  async (flavor) => {
    await up({ flavor });
    house.databases.crash(replica());
    const waited = await until(() => house.cluster?.status?.durability?.state === 'Degraded', 60, moment);
    expect(waited).toBeGreaterThanOrEqual(10);
    expect(waited).toBeLessThanOrEqual(11.1);
  },
);

it('a replica whose machine falls silent does the same', async () => {
  await up();
  house.machinery.cutPower(replica());
  const begin = house.second;
  await until(() => house.cluster?.status?.durability?.state === 'Degraded', 60, moment);
  expect(house.second - begin).toBeGreaterThanOrEqual(10);
  expect(house.second - begin).toBeLessThanOrEqual(11.1);
});

it('an old primary that a person starts again takes writes within 5 s of its answering', async () => {
  await up();
  const { primary = '' } = house;
  const other = replica();
  house.machinery.cutPower(other);
  await until(() => house.cluster?.status?.durability?.state === 'Degraded', 60);
  house.databases.crash(primary);
  await until(() => house.condition('FailingOver')?.reason === 'FailoverBlocked', 60, moment);
  house.databases.restart(primary);
  const waited = await until(() => house.databases.server(primary).writable, 60, moment);
  expect(waited).toBeLessThanOrEqual(5);
});

it.each([12_000, 14_000, 14_400, 14_800, 20_000])(
  'Strict: a new primary that waits %i ms for the copy of a replica is not replaced for that',
  async (copyTakes) => {
    await up({ durability: 'Strict' });
    house.copyTakes = copyTakes;
    const { primary = '' } = house;
    house.machinery.cutPower(primary);
    await until(() => house.cluster?.status?.primary?.epoch === 2, 60, moment);
    const leader = house.primary ?? '';
    await until(() => house.databases.server(leader).writable, 120, moment);
    await until(() => whatIsWrong(house) === undefined, 120, moment);
    expect(house.cluster?.status?.primary?.epoch).toBe(2);
    expect(house.databases.server(leader).writable).toBe(true);
  },
);
