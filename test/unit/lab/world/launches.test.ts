/** What a ClientToken promises, and what EC2 forgets. */
import { describe, expect, test } from 'vitest';
import { forgetOld, terminated } from '../../../../lab/world/instances.ts';
import { launchInstances, recallLaunch } from '../../../../lab/world/launches.ts';
import type { World } from '../../../../lab/world/world.ts';
import { openWorld, plainOrder, REGION, subnetA } from './world-fixture.ts';

const HOUR = 3_600_000;
const token = { token: 'rl1-abc', scope: 'us-east-1a', fingerprint: 'f1' };

function launch(world: World, count = 2): void {
  const draft = world.draft();
  launchInstances(draft, plainOrder(token), count);
  world.commit(draft, { name: 'instance.launched', subject: 'x' });
}

function end(world: World, index: number): void {
  const instance = [...world.state.instances.values()][index];
  if (!instance) throw new Error(`no instance ${index}`);
  const draft = world.draft();
  terminated(draft, world.state, instance);
  world.commit(draft, { name: 'instance.terminated', subject: instance.id });
}

describe('recallLaunch', () => {
  test('the same request gives the same instances, in launch order', () => {
    const world = openWorld();
    expect(recallLaunch(world.state, token)).toBeUndefined();
    launch(world);
    expect(recallLaunch(world.state, token)?.map((one) => one.launchIndex)).toEqual([0, 1]);
  });

  test('other parameters are a mismatch', () => {
    const world = openWorld();
    launch(world);
    expect(() => recallLaunch(world.state, { ...token, fingerprint: 'f2' })).toThrow(
      expect.objectContaining({ code: 'IdempotentParameterMismatch' }),
    );
  });

  test('the same token in another zone is another launch', () => {
    const world = openWorld();
    launch(world);
    expect(recallLaunch(world.state, { ...token, scope: 'us-east-1b' })).toBeUndefined();
  });

  test('once an instance is terminated the token is refused, also after the instance is forgotten', () => {
    let now = 1_000_000;
    const world = openWorld(undefined, () => now);
    launch(world);
    end(world, 0);
    const refusal = expect.objectContaining({ code: 'IdempotentInstanceTerminated' });
    expect(() => recallLaunch(world.state, token)).toThrow(refusal);
    now += 2 * HOUR;
    const draft = world.draft();
    expect(forgetOld(draft, world.state)).toBe(1);
    world.commit(draft, { name: 'world.forgot-old', subject: '1' });
    expect(world.state.instances.size).toBe(1);
    expect(() => recallLaunch(world.state, token)).toThrow(refusal);
  });

  test('a day after all its instances ended the token is new again', () => {
    let now = 1_000_000;
    const world = openWorld(undefined, () => now);
    launch(world, 1);
    end(world, 0);
    for (const step of [2 * HOUR, 23 * HOUR]) {
      now += step;
      const draft = world.draft();
      forgetOld(draft, world.state);
      world.commit(draft, { name: 'world.forgot-old', subject: '1' });
    }
    expect(recallLaunch(world.state, token)).toBeUndefined();
  });
});

describe('addresses', () => {
  test('an address is not given out again right after its machine died', () => {
    const world = openWorld();
    launch(world, 1);
    end(world, 0);
    const draft = world.draft();
    expect(draft.address(subnetA())).toBe('10.77.32.5');
  });

  test('a full subnet says so', () => {
    const world = openWorld();
    const [subnet] = REGION.subnets;
    const draft = world.draft();
    const small = { ...subnet, id: 'subnet-small', zone: 'us-east-1a', cidr: '10.77.200.0/29' };
    expect([1, 2, 3].map(() => draft.address(small))).toEqual(['10.77.200.4', '10.77.200.5', '10.77.200.6']);
    expect(() => draft.address(small)).toThrow(
      expect.objectContaining({ code: 'InsufficientFreeAddressesInSubnet' }),
    );
  });

  test('a named address must be free and inside', () => {
    const draft = openWorld().draft();
    expect(draft.claim(subnetA(), '10.77.32.99')).toBe('10.77.32.99');
    expect(() => draft.claim(subnetA(), '10.77.32.99')).toThrow(
      expect.objectContaining({ code: 'InvalidIPAddress.InUse' }),
    );
    expect(() => draft.claim(subnetA(), '10.77.99.1')).toThrow(
      expect.objectContaining({ code: 'InvalidParameterValue' }),
    );
  });
});
