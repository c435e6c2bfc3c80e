/** What waits does not ask the API server over and over. */
import { expect, test } from 'vitest';
import { whatIsWrong } from './healing.ts';
import { House } from './house.ts';

const setting = {
  version: '8.4',
  flavor: 'MySQL',
  instances: 3,
  durability: 'Balanced',
  dataLoss: 'Refuse',
  oldPrimary: 'Quarantine',
  atMost: 100,
  fromNothing: true,
  copyTakes: 1_000,
} as const;

/** Lets time pass, with clients that write, until `isDone` says so or for so many half seconds. */
async function pass(house: House, steps: number, isDone = () => false): Promise<void> {
  for (let step = 0; step < steps && !isDone(); step += 1) {
    house.clients.write();
    await house.step();
  }
}

test('a failover that waits for a replica tries again in its time, and writes what is new only', {
  timeout: 60_000,
}, async () => {
  const house = new House(1, setting);
  await pass(house, 200, () => whatIsWrong(house) === undefined);
  await pass(house, 12);
  const addresses = house.servers.map(({ status }) => status!.privateIP!);
  const [dead, stopped] = addresses.filter((address) => address !== house.primary);
  house.databases.crash(dead!);
  await pass(house, 5);
  house.databases.byHand(stopped!, 'stopReplica');
  await pass(house, 5);
  house.machinery.endOrderly(house.primary!);
  await pass(house, 40, () => house.promotions[0]?.status?.currentStep === 'Fence');
  await pass(house, 2);
  const { calls } = house.site.kube;
  const before = calls.length;
  await pass(house, 10);
  const during = calls.slice(before);
  expect(house.promotions[0]?.status?.currentStep).toBe('Fence');
  expect(during.filter(({ plural }) => plural === 'promotions').length).toBeLessThan(5);
  expect(during.length).toBeLessThan(40);
  house.close();
});
