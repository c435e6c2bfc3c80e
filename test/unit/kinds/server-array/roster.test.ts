/** The planner of an array in a small world of its own: random boots, failures, drains and wishes; two promises hold. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Member } from '../../../../controller/kinds/server-array/decide/member.ts';
import { planRoster, type Roster } from '../../../../controller/kinds/server-array/decide/roster.ts';

interface Machine {
  name: string;
  revision: string;
  place: Member['place'];
  state: string;
  /** Ticks until it is Operational, drained, or gone. */
  left: number;
  fails: boolean;
  drainedSince: number | undefined;
  keptUntil: number | undefined;
}

const hour = 3_600_000;
const defaults = {
  roll: true,
  blueGreen: false,
  surge: 1,
  unavailable: 0,
  share: 100,
  frozen: false,
  paused: false,
  zones: [],
  allowance: 100,
  causes: { excess: 'Scale', outdated: 'Update' },
  keep: { outdated: 0, failed: 0, stopped: false },
  drain: 10_000,
} as const;

class Cloud {
  machines: Machine[] = [];
  now = 0;
  serial = 0;

  add(revision: string, more: Partial<Machine> = {}): void {
    this.serial += 1;
    this.machines.push({
      name: `s${this.serial}`,
      revision,
      place: 'Active',
      state: 'Operational',
      left: 0,
      fails: false,
      drainedSince: undefined,
      keptUntil: undefined,
      ...more,
    });
  }

  get members(): Member[] {
    return this.machines.map((machine) => {
      const ready = machine.state === 'Operational';
      return {
        server: { spec: { power: 'Running' }, status: {} } as never,
        name: machine.name,
        place: machine.place,
        state: machine.state,
        revision: machine.revision,
        zone: undefined,
        createdAt: Number(machine.name.slice(1)),
        launched: true,
        ready,
        available: ready && machine.place === 'Active',
        drained: machine.left === 0,
        drainedSince: machine.drainedSince,
        keptUntil: machine.keptUntil,
        ending: false,
        locked: false,
        held: false,
      };
    });
  }

  get serving(): number {
    return this.members.filter(({ available }) => available).length;
  }

  get kept(): number {
    return this.machines.filter(({ place }) => place === 'Kept').length;
  }

  /** One look with its consequences, then a moment of time. `luck`: does the next new server fail? */
  tick(roster: Omit<Roster, 'members' | 'now' | 'overdue'>, luck: () => boolean): void {
    this.now += 1_000;
    const overdue = new Set(
      this.machines.filter(({ state }) => state === 'Stranded').map(({ name }) => name),
    );
    const plan = planRoster({ ...roster, members: this.members, now: this.now, overdue });
    for (const { revision, candidate } of plan.create) {
      const place = candidate ? 'Candidate' : 'Active';
      this.add(revision, { place, state: 'Booting', left: 3 + (this.serial % 3), fails: luck() });
    }
    for (const { member, as } of plan.admit)
      Object.assign(this.#of(member), { place: as, keptUntil: undefined });
    for (const { member, keepUntil } of plan.remove) {
      const place = keepUntil === undefined ? 'Leaving' : 'Kept';
      Object.assign(this.#of(member), { place, left: 2, drainedSince: this.now, keptUntil: keepUntil });
    }
    for (const member of plan.delete) Object.assign(this.#of(member), { place: 'Going', left: 2 });
    this.#pass();
  }

  #pass(): void {
    for (const machine of this.machines) {
      machine.left = Math.max(0, machine.left - 1);
      if (machine.state === 'Booting' && machine.left === 0) {
        machine.state = machine.fails ? 'Stranded' : 'Operational';
      }
    }
    this.machines = this.machines.filter(({ place, left }) => place !== 'Going' || left > 0);
  }

  #of({ name }: Member): Machine {
    const machine = this.machines.find((one) => one.name === name);
    if (machine === undefined) throw new Error(`${name} is gone`);
    return machine;
  }
}

function settle(cloud: Cloud, roster: Omit<Roster, 'members' | 'now' | 'overdue'>, ticks = 200): void {
  for (let tick = 0; tick < ticks; tick += 1) cloud.tick(roster, () => false);
}

const modes = fc.constantFrom(
  { surge: 1, unavailable: 0, blueGreen: false },
  { surge: 3, unavailable: 0, blueGreen: false },
  { surge: 0, unavailable: 1, blueGreen: false },
  { surge: 2, unavailable: 2, blueGreen: false },
  { surge: 1, unavailable: 0, blueGreen: true },
);

test('rolls under random failures: never too many, never too few, and it gets there', () => {
  const worlds = fc.record({
    mode: modes,
    desired: fc.integer({ min: 0, max: 7 }),
    luck: fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
    retain: fc.boolean(),
  });
  fc.assert(
    fc.property(worlds, ({ mode, desired, luck, retain }) => {
      const cloud = new Cloud();
      for (let index = 0; index < desired; index += 1) cloud.add('old');
      const keep = { outdated: retain ? hour : 0, failed: 0, stopped: false };
      const roster = { ...defaults, ...mode, keep, desired, goal: 'new', base: 'old' };
      const surge = mode.blueGreen ? Math.max(desired, mode.surge) : mode.surge;
      for (let tick = 0; tick < 150; tick += 1) {
        cloud.tick(roster, () => luck.next().value < 3);
        expect(cloud.machines.length - cloud.kept).toBeLessThanOrEqual(desired + surge);
        expect(cloud.serving).toBeGreaterThanOrEqual(desired - mode.unavailable);
      }
      settle(cloud, roster);
      const staying = cloud.machines.filter(({ place }) => place !== 'Kept');
      expect(staying.map(({ revision, place }) => `${revision} ${place}`)).toEqual(
        Array.from({ length: desired }, () => 'new Active'),
      );
      expect(cloud.kept).toBe(retain ? desired : 0);
    }),
    { numRuns: 100 },
  );
});

test('whatever number is wished for meanwhile, it gets there and never launches beyond the highest wish', () => {
  const wishes = fc.array(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 12 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(wishes, modes, fc.boolean(), (list, mode, roll) => {
      const cloud = new Cloud();
      for (let index = 0; index < 3; index += 1) cloud.add('old');
      const highest = Math.max(3, ...list.map(([desired]) => desired));
      const surge = mode.blueGreen ? Math.max(highest, mode.surge) : mode.surge;
      let desired = 3;
      for (const [wish, ticks] of list) {
        desired = wish;
        const roster = { ...defaults, ...mode, roll, desired, goal: 'new', base: 'old' };
        for (let tick = 0; tick < ticks; tick += 1) {
          cloud.tick(roster, () => false);
          expect(cloud.machines.length).toBeLessThanOrEqual(highest + surge);
        }
      }
      settle(cloud, { ...defaults, ...mode, roll, desired, goal: 'new', base: 'old' });
      expect(cloud.machines).toHaveLength(desired);
      expect(cloud.serving).toBe(desired);
      if (roll) expect(cloud.machines.every(({ revision }) => revision === 'new')).toBe(true);
    }),
    { numRuns: 100 },
  );
});

describe('a roll', () => {
  test('stops at the share of its step', () => {
    const cloud = new Cloud();
    for (let index = 0; index < 10; index += 1) cloud.add('old');
    settle(cloud, { ...defaults, desired: 10, goal: 'new', base: 'old', share: 25 });
    expect(cloud.machines.filter(({ revision }) => revision === 'new')).toHaveLength(3);
    expect(cloud.machines).toHaveLength(10);
  });

  test('goes back to kept servers without launching any', () => {
    const cloud = new Cloud();
    for (let index = 0; index < 3; index += 1) cloud.add('old');
    const keep = { outdated: hour, failed: 0, stopped: false };
    settle(cloud, { ...defaults, keep, desired: 3, goal: 'new', base: 'old' }, 60);
    const { serial } = cloud;
    settle(cloud, { ...defaults, keep, desired: 3, goal: 'old', base: 'new' }, 60);
    expect(cloud.serial).toBe(serial);
    const serving = cloud.members.filter(({ available }) => available);
    expect(serving.map(({ revision }) => revision)).toEqual(['old', 'old', 'old']);
    expect(cloud.kept).toBe(3);
  });

  test('lets the green ones join only together', () => {
    const cloud = new Cloud();
    for (let index = 0; index < 3; index += 1) cloud.add('old');
    const roster = { ...defaults, blueGreen: true, desired: 3, goal: 'new', base: 'old' };
    const seen = new Set<number>();
    for (let tick = 0; tick < 30; tick += 1) {
      cloud.tick(roster, () => false);
      seen.add(
        cloud.members.filter(({ place, revision }) => place === 'Active' && revision === 'new').length,
      );
    }
    expect(seen).toEqual(new Set([0, 3]));
  });
});

test('nothing is replaced while frozen, and automatic removals stop at the allowance', () => {
  const cloud = new Cloud();
  for (let index = 0; index < 5; index += 1) cloud.add('old', { state: 'Stranded' });
  const look = { ...defaults, members: cloud.members, now: 0, desired: 5, goal: 'old', base: 'old' };
  const overdue = new Set(cloud.machines.map(({ name }) => name));
  const frozen = planRoster({ ...look, overdue, frozen: true });
  expect([frozen.create, frozen.remove, frozen.delete]).toEqual([[], [], []]);
  const bound = planRoster({ ...look, overdue, surge: 0, unavailable: 5, allowance: 2 });
  expect(bound.remove).toHaveLength(2);
  expect(bound.heldBack).toBe(3);
});
