/** The observer over a fake EC2 and a clock that tests move. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Observer } from '../../../controller/cloud/observer.ts';
import type { Delta } from '../../../controller/cloud/picture.ts';
import type { CloudTarget, LaunchRequest } from '../../../controller/cloud/port.ts';
import { ObservedViews } from '../../../controller/cloud/views.ts';
import { aLaunch } from '../../builders/launch-request.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeClouds } from '../../fakes/clouds.ts';
import { FakeMachines } from '../../fakes/machines.ts';

const log = pino({ level: 'silent' });

function aRequest(count = 1): LaunchRequest {
  return aLaunch('us', { clientToken: `token-${count}`, minCount: count, maxCount: count });
}

function target(region: string): CloudTarget {
  return { region, endpoints: {}, credentials: { type: 'Ambient' }, installation: 'us' };
}

describe('Observer', () => {
  let clock: FakeClock;
  let machines: FakeMachines;
  let deltas: Delta[];
  let observer: Observer;
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    clock = new FakeClock();
    machines = new FakeMachines(clock, 'us');
    deltas = [];
    observer = new Observer({ machines, clock, log, onChange: (delta) => deltas.push(delta) });
    stop = new AbortController();
    running = observer.run(stop.signal);
    await clock.advance(0);
  });

  afterEach(async () => {
    stop.abort();
    await running;
  });

  it('sweeps four times a minute at rest', async () => {
    const [machine] = await machines.launch(aRequest());
    await clock.advance(30_000);
    expect(observer.get(machine?.id ?? '')?.state).toBe('running');
    const before = machines.faults.of('sweep').length;
    await clock.advance(60_000);
    expect(machines.faults.of('sweep').length - before).toBe(4);
    expect(machines.faults.of('find').length).toBeLessThanOrEqual(2);
  });

  it('follows a launch it was told of within a second or two', async () => {
    await clock.advance(7_000);
    const launched = await machines.launch(aRequest());
    observer.learn(launched);
    expect(observer.get(launched[0]?.id ?? '')?.state).toBe('pending');
    await clock.advance(2_000);
    expect(observer.get(launched[0]?.id ?? '')?.state).toBe('running');
    expect(deltas.map(({ after }) => after?.state)).toEqual(['pending', 'running']);
  });

  it('keeps its picture when sweeps fail, and recovers', async () => {
    const [machine] = await machines.launch(aRequest());
    await clock.advance(20_000);
    machines.faults.failNext('sweep', 'cloud.unreachable', 2);
    const sweptAt = observer.sweptAt;
    await clock.advance(50_000);
    expect(observer.get(machine?.id ?? '')).toBeDefined();
    expect(observer.missing(machine?.id ?? '').sweeps).toBe(0);
    await clock.advance(60_000);
    expect(observer.sweptAt).toBeGreaterThan(sweptAt ?? 0);
  });

  it('tells about a machine that vanished', async () => {
    const [machine] = await machines.launch(aRequest());
    await clock.advance(20_000);
    machines.hidden.add(machine?.id ?? '');
    await clock.advance(40_000);
    expect(deltas.at(-1)).toMatchObject({ id: machine?.id, after: undefined });
    expect(observer.missing(machine?.id ?? '').sweeps).toBeGreaterThanOrEqual(2);
  });

  it('ends when told, asleep or not', async () => {
    stop.abort();
    await running;
    expect(clock.sleeping).toBe(0);
  });
});

describe('ObservedViews', () => {
  it('runs one observer per target and ends those that are not kept', async () => {
    const clock = new FakeClock();
    const clouds = new FakeClouds(clock);
    const views = new ObservedViews({ clouds, clock, log, onChange: () => undefined });
    const view = views.of(target('a'));
    expect(views.of(target('a'))).toBe(view);
    views.of(target('b'));
    await clock.advance(1);
    expect(clock.sleeping).toBe(2);
    views.keep([target('a')]);
    await clock.advance(1);
    expect(clock.sleeping).toBe(1);
    await views.close();
    expect(clock.sleeping).toBe(0);
  });
});
