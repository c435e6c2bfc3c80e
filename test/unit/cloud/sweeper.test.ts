/** Which thread reads a sweep, in which pages, and when the second one ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { AwsClouds } from '../../../controller/cloud/clouds.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { Ec2Api } from '../../fakes/ec2-api.ts';

test('a small fleet is read here, a larger one by the worker, which ends when nobody needs it', async () => {
  await using api = await Ec2Api.listen();
  const clock = new FakeClock();
  const clouds = new AwsClouds({ clock, registry: new Registry(), mayAct: () => true });
  const { machines } = clouds.of(api.target);
  const sweep = async (count: number) => {
    api.count = count;
    const swept = await machines.sweep();
    expect(swept.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, index) => `i-${index}`));
    return api.asked.splice(0);
  };
  expect(await sweep(100)).toEqual([100]);
  // One row more: what was read is thrown away, since EC2 wants all pages of one size.
  expect(await sweep(101)).toEqual([100, 1_000]);
  expect(await sweep(2_001)).toEqual([1_000, 1_000, 1_000]);
  const both = await api.connections();
  expect(await sweep(3)).toEqual([1_000]);
  expect(await sweep(3)).toEqual([100]);
  await clock.advance(59_000);
  expect(await api.connections()).toBe(both);
  await clock.advance(2_000);
  while ((await api.connections()) >= both) await sleep(10);
  expect(await sweep(200)).toEqual([100, 1_000]);
  await clouds.close();
});

test('a sweep that asks again in time keeps the worker', async () => {
  await using api = await Ec2Api.listen();
  const clock = new FakeClock();
  const clouds = new AwsClouds({ clock, registry: new Registry(), mayAct: () => true });
  const { machines } = clouds.of(api.target);
  api.count = 150;
  await machines.sweep();
  const both = await api.connections();
  for (let round = 0; round < 3; round += 1) {
    await clock.advance(45_000);
    await machines.sweep();
  }
  expect(await api.connections()).toBe(both);
  await clouds.close();
});
