/** Replaying the journal gives the state that was; crashes lose nothing that was acknowledged. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { moved, terminated } from '../../../../lab/world/instances.ts';
import { launchInstances } from '../../../../lab/world/launches.ts';
import { dump } from '../../../../lab/world/state.ts';
import type { World } from '../../../../lab/world/world.ts';
import { openWorld, plainOrder, scratchDir } from './world-fixture.ts';

type Step =
  | { readonly do: 'launch'; readonly count: number }
  | { readonly do: 'stop' | 'terminate' | 'tag'; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('launch' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constantFrom('stop', 'terminate', 'tag'), pick: fc.nat(50) }),
);

function take(world: World, one: Step): void {
  const draft = world.draft();
  if (one.do === 'launch') {
    launchInstances(draft, plainOrder(), one.count);
    world.commit(draft, { name: 'instance.launched', subject: 'some' });
    return;
  }
  const instances = [...world.state.instances.values()];
  const instance = instances[one.pick % Math.max(1, instances.length)];
  if (!instance) return;
  if (one.do === 'terminate') terminated(draft, world.state, instance);
  else if (one.do === 'stop') draft.put('instances', instance.id, moved(instance, 'stopped'));
  else draft.put('instances', instance.id, { ...instance, tags: { n: String(one.pick) } });
  world.commit(draft, { name: `instance.${one.do}`, subject: instance.id });
}

describe('journal', () => {
  test('replay of any history equals the state it left', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const dir = scratchDir();
        const world = openWorld(dir);
        for (const one of steps) take(world, one);
        world.close();
        const again = openWorld(dir);
        expect(dump(again.state)).toEqual(dump(world.state));
        expect(again.events(0, 1000)).toEqual(world.events(0, 1000));
        again.close();
      }),
      { numRuns: 50 },
    );
  });

  test('a line cut off by a crash is dropped, and writing goes on after it', () => {
    const dir = scratchDir();
    const world = openWorld(dir);
    take(world, { do: 'launch', count: 2 });
    world.close();
    const file = join(dir, 'journal.jsonl');
    appendFileSync(file, '{"seq":2,"at":1,"na');
    const again = openWorld(dir);
    expect(again.state.instances.size).toBe(2);
    take(again, { do: 'launch', count: 1 });
    again.close();
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(openWorld(dir).state.instances.size).toBe(3);
  });

  test('a long journal is folded into a snapshot that replays to the same state', () => {
    const dir = scratchDir();
    const world = openWorld(dir);
    take(world, { do: 'launch', count: 3 });
    for (let n = 0; n < 20_010; n += 1) take(world, { do: 'tag', pick: n });
    world.close();
    expect(readFileSync(join(dir, 'journal.jsonl'), 'utf8').split('\n').length).toBeLessThan(100);
    const again = openWorld(dir);
    expect(dump(again.state)).toEqual(dump(world.state));
    const last = world.events(0, 100_000).at(-1)?.seq ?? 0;
    take(again, { do: 'launch', count: 1 });
    expect(again.events(last, 10).map(({ seq }) => seq)).toEqual([last + 1]);
  });

  test('equal histories give equal ids and addresses', () => {
    const worlds = [openWorld(), openWorld()];
    for (const world of worlds) take(world, { do: 'launch', count: 3 });
    const [one, other] = worlds.map((world) => [...world.state.instances.values()]);
    expect(one).toEqual(other);
    expect(one?.map(({ privateIp }) => privateIp)).toEqual(['10.77.32.4', '10.77.32.5', '10.77.32.6']);
  });
});
