/** The queue's contract: each key once, never twice at a time, urgent first, waits that grow. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ObjectKey } from '../../../controller/api/meta.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Queue } from '../../../controller/runtime/queue.ts';
import { FakeClock } from '../../fakes/clock.ts';

const backoff = { base: 1_000, cap: 300_000 };

function openQueue(random = () => 1, rest = 0) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  return { clock, metrics, queue: new Queue({ name: 'test', clock, metrics: metrics.queue, random, rest }) };
}

const key = (name: string): ObjectKey => ({ namespace: 'shop', name });

/** The names that can be taken right now, each finished at once. */
async function takeAll(queue: Queue, clock: FakeClock): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    let taken: ObjectKey | undefined;
    const taking = queue.take().then((found) => {
      taken = found;
      return found;
    });
    await clock.advance(0);
    if (taken === undefined) {
      // Leave no taker behind: it gets a key nobody looks at.
      queue.add(key('sentinel'), 'low');
      await taking;
      queue.finish(key('sentinel'), { type: 'stuck' });
      return names;
    }
    names.push(taken.name);
    queue.finish(taken, { type: 'stuck' });
  }
}

test('a key added many times is handed out once, in order of arrival', async () => {
  const { queue, clock } = openQueue();
  for (const name of ['a', 'b', 'a', 'c', 'b']) queue.add(key(name));
  expect(await takeAll(queue, clock)).toEqual(['a', 'b', 'c']);
});

test('high before normal before low; a second add can raise the priority but not lower it', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('low'), 'low');
  queue.add(key('raised'), 'low');
  queue.add(key('normal'));
  queue.add(key('high'), 'high');
  queue.add(key('raised'), 'high');
  queue.add(key('high'), 'low');
  expect(await takeAll(queue, clock)).toEqual(['high', 'raised', 'normal', 'low']);
});

test('a key in work is not handed out again, but runs once more when added meanwhile', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('a'));
  await queue.take();
  queue.add(key('a'));
  queue.add(key('a'));
  expect(await takeAll(queue, clock)).toEqual([]);
  queue.finish(key('a'), { type: 'done', after: 60_000 });
  expect(await takeAll(queue, clock)).toEqual(['a']);
  await clock.advance(60_000);
  expect(await takeAll(queue, clock)).toEqual([]);
});

test('waits: not before the time asked for, and an add cuts the wait short', async () => {
  const { queue, clock } = openQueue();
  for (const name of ['a', 'b']) {
    queue.add(key(name));
    const taken = await queue.take();
    queue.finish(taken ?? key(name), { type: 'done', after: 5_000 });
  }
  await clock.advance(4_999);
  expect(await takeAll(queue, clock)).toEqual([]);
  queue.add(key('b'));
  expect(await takeAll(queue, clock)).toEqual(['b']);
  await clock.advance(1);
  expect(await takeAll(queue, clock)).toEqual(['a']);
  await clock.advance(60_000);
  expect(await takeAll(queue, clock)).toEqual([]);
});

/** Milliseconds until the key can be taken again. */
async function waitFor(queue: Queue, clock: FakeClock): Promise<number> {
  const since = clock.monotonic();
  const taken = queue.take().then(() => clock.monotonic() - since);
  // Farther than any wait; the clock stops at each moment somebody asked for.
  await clock.advance(400_000);
  return taken;
}

test('failures in a row wait 1, 2, 4 ... 300 s; success forgets them', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('a'));
  await queue.take();
  const waits: number[] = [];
  for (let round = 0; round < 11; round += 1) {
    queue.finish(key('a'), { type: 'failed', backoff });
    waits.push((await waitFor(queue, clock)) / 1000);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  queue.finish(key('a'), { type: 'done', after: 0 });
  await queue.take();
  queue.finish(key('a'), { type: 'failed', backoff });
  expect(await waitFor(queue, clock)).toBe(1_000);
});

test('an edit forgets failures; an echo of our own write does not cut the wait short', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('a'));
  await queue.take();
  queue.addEcho(key('a'));
  queue.finish(key('a'), { type: 'failed', backoff });
  queue.addEcho(key('a'));
  expect(await waitFor(queue, clock)).toBe(1_000);
  queue.finish(key('a'), { type: 'failed', backoff });
  queue.addAfresh(key('a'));
  await queue.take();
  queue.finish(key('a'), { type: 'failed', backoff });
  expect(await waitFor(queue, clock)).toBe(1_000);
});

test('an echo after success runs once more; after `never` it does not', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('a'));
  await queue.take();
  queue.addEcho(key('a'));
  queue.finish(key('a'), { type: 'done' });
  expect(await takeAll(queue, clock)).toEqual(['a']);
  queue.add(key('b'));
  await queue.take();
  queue.addEcho(key('b'));
  queue.finish(key('b'), { type: 'stuck' });
  expect(await takeAll(queue, clock)).toEqual([]);
});

test('a rest: news wait until it is over, edits and what is urgent do not', async () => {
  const { queue, clock } = openQueue(undefined, 1_000);
  const work = async (meanwhile?: () => void) => {
    const taken = await queue.take();
    meanwhile?.();
    queue.finish(taken!, { type: 'done' });
  };
  queue.add(key('a'));
  await work(() => queue.add(key('a')));
  expect(await waitFor(queue, clock)).toBe(1_000);
  queue.finish(key('a'), { type: 'done' });
  await clock.advance(400);
  queue.add(key('a'));
  queue.addEcho(key('a'));
  expect(await waitFor(queue, clock)).toBe(600);
  queue.addAfresh(key('a'));
  queue.finish(key('a'), { type: 'done' });
  await work();
  queue.addAfresh(key('a'));
  await work();
  queue.add(key('a'), 'high');
  await work();
  await clock.advance(1_000);
  queue.add(key('a'));
  await work();
});

test('a rest shortens no wait and lengthens none', async () => {
  const { queue, clock } = openQueue(undefined, 1_000);
  queue.add(key('a'));
  await queue.take();
  for (const after of [5_000, 200]) {
    queue.finish(key('a'), { type: 'done', after });
    expect(await waitFor(queue, clock)).toBe(after);
  }
  queue.add(key('a'));
  queue.finish(key('a'), { type: 'done', after: 0 });
  expect(await waitFor(queue, clock)).toBe(0);
  queue.finish(key('a'), { type: 'failed', backoff: { base: 100, cap: 100 } });
  expect(await waitFor(queue, clock)).toBe(100);
});

test('close ends waiting takers, refuses adds and drops what was delayed', async () => {
  const { queue, clock } = openQueue();
  queue.add(key('late'));
  await queue.take();
  const waiting = queue.take();
  queue.close();
  expect(await waiting).toBeUndefined();
  queue.finish(key('late'), { type: 'done', after: 10 });
  queue.add(key('a'));
  await clock.advance(100);
  expect(await queue.take()).toBeUndefined();
  expect(clock.sleeping).toBe(0);
});

test('depth, adds and retries are measured', async () => {
  const { queue, metrics } = openQueue();
  queue.add(key('a'));
  queue.add(key('b'), 'high');
  await queue.take();
  queue.finish(key('b'), { type: 'failed', backoff });
  const text = await metrics.registry.metrics();
  expect(text).toContain('workqueue_depth{name="test",controller="test",priority="normal"} 1');
  expect(text).toContain('workqueue_adds_total{name="test",controller="test"} 2');
  expect(text).toContain('workqueue_retries_total{name="test",controller="test"} 1');
  queue.close();
});

test('whatever happens, no key is in work twice and every added key is worked on afterwards', async () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('add' as const), name: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('take' as const), name: fc.constant('') }),
    fc.record({
      do: fc.constant('finish' as const),
      name: fc.constantFrom('done', 'wait', 'failed', 'stuck'),
    }),
    fc.record({ do: fc.constant('sleep' as const), name: fc.constant('') }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.constantFrom(0, 300), async (actions, rest) => {
      const { queue, clock } = openQueue(undefined, rest);
      const working: ObjectKey[] = [];
      const owed = new Set<string>();
      let takers = 0;
      const take = () => {
        takers += 1;
        void queue.take().then((taken) => {
          takers -= 1;
          if (taken === undefined) return taken;
          expect(working.map(({ name }) => name)).not.toContain(taken.name);
          working.push(taken);
          owed.delete(taken.name);
          return taken;
        });
      };
      const finish = (how: string) => {
        const [done] = working.splice(0, 1);
        if (done === undefined) return;
        if (how === 'wait') queue.finish(done, { type: 'done', after: 500 });
        else if (how === 'failed') queue.finish(done, { type: 'failed', backoff });
        else queue.finish(done, { type: how === 'stuck' ? 'stuck' : 'done' });
      };
      for (const { do: what, name } of actions) {
        if (what === 'add') {
          owed.add(name);
          queue.add(key(name));
        } else if (what === 'take') take();
        else if (what === 'finish') finish(name);
        await clock.advance(what === 'sleep' ? 700 : 0);
      }
      for (let round = 0; round < 8; round += 1) {
        if (takers === 0) take();
        await clock.advance(0);
        finish('stuck');
        await clock.advance(rest);
      }
      expect([...owed]).toEqual([]);
      queue.close();
    }),
    { numRuns: 100 },
  );
});
