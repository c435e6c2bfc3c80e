/** The clock that leaders share: whatever the clocks of their machines say, they agree with each other and with the API server. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock, Millis } from '../../../controller/base/clock.ts';
import { SharedClock } from '../../../controller/kube/shared-clock.ts';
import { FakeClock } from '../../fakes/clock.ts';

const hour = 3_600_000;

/** The clock of a machine that runs so far ahead, and has started some time. */
function ahead(world: FakeClock, skew: Millis, uptime: Millis): Clock {
  return {
    now: () => world.now() + skew,
    monotonic: () => world.monotonic() + uptime,
    sleep: (ms, signal) => world.sleep(ms, signal),
  };
}

/** As an API server writes it. */
function dateOf(world: FakeClock): string {
  return new Date(Math.floor(world.now() / 1_000) * 1_000).toUTCString();
}

async function exchange(world: FakeClock, shared: SharedClock, there: Millis, back: Millis): Promise<void> {
  const learn = shared.ask();
  await world.advance(there);
  const date = dateOf(world);
  await world.advance(back);
  learn(date);
}

const way = fc.integer({ min: 0, max: 300 });
const skew = fc.integer({ min: -24 * hour, max: 24 * hour });
const ways = fc.tuple(way, way);
const skews = fc.tuple(skew, skew);

test('after one answer two leaders agree, whatever their machines say', async () => {
  await fc.assert(
    fc.asyncProperty(skews, ways, fc.nat(9_999), async ([one, other], [there, back], pause) => {
      const world = new FakeClock();
      await world.advance(pause);
      const leaders = [
        new SharedClock(ahead(world, one, 5)),
        new SharedClock(ahead(world, other, 7_777_777)),
      ];
      for (const leader of leaders) await exchange(world, leader, there, back);
      const [left, right] = leaders.map((leader) => leader.now());
      expect(Math.abs(left! - world.now())).toBeLessThanOrEqual(1_000 + there + back);
      expect(Math.abs(left! - right!)).toBeLessThanOrEqual(2 * (1_000 + there + back));
    }),
  );
});

test('many answers tell it more and more closely', async () => {
  const world = new FakeClock();
  const shared = new SharedClock(ahead(world, -hour, 1_000));
  for (let at = 0; at < 60; at += 1) {
    await exchange(world, shared, 3, 4);
    await world.advance(437);
  }
  expect(Math.abs(shared.now() - world.now())).toBeLessThanOrEqual(50);
});

test('the own clock of a machine is kept where it agrees', async () => {
  const world = new FakeClock();
  const shared = new SharedClock(ahead(world, 0, 1_000));
  for (let at = 0; at < 30; at += 1) {
    await world.advance(333);
    await exchange(world, shared, 2, 2);
    expect(shared.now()).toBe(world.now());
  }
});

test('a clock that is set on the way changes nothing', async () => {
  const world = new FakeClock();
  let skewNow = 0;
  const machine = { ...ahead(world, 0, 0), now: () => world.now() + skewNow };
  const shared = new SharedClock(machine);
  await exchange(world, shared, 5, 5);
  skewNow = hour;
  expect(Math.abs(shared.now() - world.now())).toBeLessThanOrEqual(1_010);
  await world.advance(24 * hour);
  // What nobody has asked for a day may have drifted.
  expect(Math.abs(shared.now() - world.now())).toBeLessThanOrEqual(10_000);
});

test('an API server whose clock is set is followed', async () => {
  const world = new FakeClock();
  const shared = new SharedClock(ahead(world, 0, 0));
  await exchange(world, shared, 5, 5);
  const learn = shared.ask();
  learn(new Date(world.now() + hour).toUTCString());
  expect(Math.abs(shared.now() - world.now() - hour)).toBeLessThanOrEqual(1_010);
});

test('an answer without a date teaches nothing', async () => {
  const world = new FakeClock();
  const shared = new SharedClock(ahead(world, hour, 0));
  shared.ask()(undefined);
  shared.ask()('yesterday');
  expect(shared.now()).toBe(world.now() + hour);
});
