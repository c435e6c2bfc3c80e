/** Arrays on fakes that vote: by load, by scripts, and against somebody who will not stop. */
import { describe, expect, it, test, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { scriptKind } from '../../controller/api/script.ts';
import { namespace, words } from '../builders/site.ts';
import { World } from './world.ts';

/** Half an hour of simulated time takes seconds. */
vi.setConfig({ testTimeout: 180_000 });

function settled(world: World, count: number): boolean {
  return world.servers.length === count && world.areOperational;
}

function condition(world: World, type: string) {
  return findCondition(world.array().status, type);
}

describe('votes', () => {
  const autoscaling = {
    minReplicas: 1,
    maxReplicas: 4,
    periodSeconds: 10,
    calmUpSeconds: 60,
    calmDownSeconds: 120,
    metrics: [{ name: 'load', source: 'Load', growAbove: '2', shrinkBelow: '0.5' }],
  };

  function setLoad(world: World, load: number | undefined): void {
    world.site.shell.onCommand = (command) => {
      if (!command.includes('loadavg')) return { exitCode: 0, stdout: '' };
      return load === undefined
        ? { exitCode: 1, stdout: '' }
        : { exitCode: 0, stdout: `load ${load} 0 0 1/1 1\n` };
    };
  }

  test('grow the array to its ceiling and shrink it to its floor; silence does nothing', async () => {
    const world = new World();
    setLoad(world, 5);
    world.addArray({ replicas: 1, autoscaling });
    await world.until(() => settled(world, 4), 1_200);
    setLoad(world, undefined);
    await world.pass(300);
    expect(world.servers).toHaveLength(4);
    expect(condition(world, 'ScalingActive')?.reason).toBe('MetricUnavailable');
    setLoad(world, 0);
    await world.until(() => settled(world, 1), 2_400);
    expect(world.array().status?.votes).toMatchObject({ grow: 0, stale: 0 });
  });

  it.each(['array.after-scale-recorded', 'array.after-scale-written'])(
    'survive a crash at %s',
    async (crashAt) => {
      const world = new World({ crashAt });
      setLoad(world, 5);
      world.addArray({ replicas: 1, autoscaling: { ...autoscaling, maxReplicas: 3 } });
      world.onStep = () => expect(world.servers.length).toBeLessThanOrEqual(4);
      await world.until(() => settled(world, 3), 1_200);
      expect(world.crashes).toBe(1);
      const causes = world.site.events.recorded.filter(({ reason }) => reason === 'ManualResize');
      expect(causes).toEqual([]);
    },
  );

  test('yield to a person, and to somebody who will not stop', async () => {
    const world = new World();
    setLoad(world, 1);
    world.addArray({ replicas: 2, autoscaling });
    await world.until(() => settled(world, 2));
    world.editArray({ spec: { replicas: 3 } });
    await world.until(() => settled(world, 3));
    expect(world.site.events.recorded.map(({ reason }) => reason)).toContain('ManualResize');
    for (let round = 0; round < 3; round += 1) {
      world.editArray({ spec: { replicas: 9 } });
      await world.pass(5);
    }
    expect(condition(world, 'ScalingLimited')).toMatchObject({ status: 'True', reason: 'ReplicasContended' });
    expect(condition(world, 'ScalingLimited')?.message).toMatch(
      /has overruled the autoscaler \d times in 10 min; spec\.replicas is 9 and scaling is held\./,
    );
    expect(world.array().spec.replicas).toBe(9);
  });
});

describe('scripts that measure', () => {
  const metric = {
    name: 'jobs',
    source: 'Script',
    scriptRef: { name: 'queue' },
    growAbove: '10',
    shrinkBelow: '1',
  };
  const autoscaling = {
    minReplicas: 1,
    maxReplicas: 3,
    periodSeconds: 10,
    calmUpSeconds: 0,
    calmDownSeconds: 0,
    metrics: [metric],
  };

  /** Text = what it prints, number = its exit status. */
  function answering(world: World, answer: string | number, load = '0'): void {
    const command = Buffer.from('count the jobs').toString('base64');
    world.site.shell.onCommand = (line) => {
      if (line.includes('loadavg')) return { exitCode: 0, stdout: `load ${load} 0 0 1/1 1\n` };
      if (!line.includes(command)) return { exitCode: 0, stdout: '' };
      if (typeof answer === 'number') return { exitCode: answer, stdout: '' };
      return { exitCode: 0, stdout: `${answer}\n` };
    };
  }

  function addScript(world: World, more: object = {}): void {
    world.site.kube.seed(scriptKind, {
      ...words(scriptKind),
      metadata: { namespace, name: 'queue' },
      spec: { source: { inline: 'count the jobs' }, ...more } as never,
    });
  }

  async function arrayOf(replicas: number, more: object = {}): Promise<World> {
    const world = new World();
    addScript(world);
    answering(world, '5');
    world.addArray({ replicas, autoscaling: { ...autoscaling, ...more } });
    await world.until(() => settled(world, replicas));
    return world;
  }

  test('grow and shrink the array by the number they print', async () => {
    const world = await arrayOf(1, { maxReplicas: 2 });
    answering(world, '11');
    await world.until(() => settled(world, 2));
    expect(world.array().status?.votes).toMatchObject({
      metrics: [{ name: 'jobs', voters: expect.any(Number), average: '11' }],
    });
    answering(world, '0');
    await world.until(() => settled(world, 1));
  });

  it.each([
    ['exits 3', 3, 'exited 3'],
    ['never answers', 124, 'no answer within 10 s'],
    ['prints a word', 'plenty', 'printed "plenty" instead of one number'],
  ])('a script that %s shrinks nothing, and is named', async (_what, answer, problem) => {
    const world = await arrayOf(3);
    answering(world, answer);
    await world.until(() => condition(world, 'ScalingActive')?.reason === 'MetricUnavailable');
    await world.pass(120);
    expect(settled(world, 3)).toBe(true);
    const message = condition(world, 'ScalingActive')?.message;
    expect(message).toContain('Metric jobs: No number from 3 of 3 servers: app-');
    expect(message).toContain(problem);
    expect(world.array().status?.votes).toMatchObject({ stale: 3, metrics: [{ name: 'jobs', voters: 0 }] });
  });

  test('a script that fails keeps others from shrinking the array, not from growing it', async () => {
    const load = { name: 'load', source: 'Load', growAbove: '2', shrinkBelow: '0.5' };
    const world = await arrayOf(2, { metrics: [metric, load] });
    answering(world, 1, '0');
    await world.pass(120);
    expect(settled(world, 2)).toBe(true);
    expect(condition(world, 'ScalingActive')).toMatchObject({
      status: 'True',
      message: expect.stringContaining('2 of 2 servers vote. Metric jobs: No number from 2 of 2 servers'),
    });
    answering(world, 1, '5');
    await world.until(() => settled(world, 3));
  });

  it.each([
    ['is missing', 'other', {}, 'Script/other does not exist in this namespace.'],
    [
      'needs inputs',
      'queue',
      { inputs: [{ name: 'DB', required: true }] },
      'Script/queue needs the input DB',
    ],
    ['installs things', 'queue', { packages: ['jq'] }, 'Script/queue brings packages'],
  ])('a Script that %s is named with what to do, and shrinks nothing', async (_what, name, more, says) => {
    const world = new World();
    addScript(world, more);
    const metrics = [{ ...metric, scriptRef: { name } }];
    world.addArray({ replicas: 2, autoscaling: { ...autoscaling, metrics } });
    await world.until(
      () => condition(world, 'ScalingActive')?.reason === 'ScriptUnusable' && settled(world, 2),
    );
    await world.pass(60);
    expect(settled(world, 2)).toBe(true);
    expect(condition(world, 'ScalingActive')?.message).toContain(says);
    expect(condition(world, 'ScalingActive')?.message).toContain(
      'Correct the Script or spec.autoscaling.metrics',
    );
  });

  test('one that hangs holds no pass up, and is not asked again meanwhile', async () => {
    const world = await arrayOf(2);
    let asked = 0;
    const end = Promise.withResolvers<void>();
    const run = world.site.shell.run.bind(world.site.shell);
    world.site.shell.run = async (host, command, timeout) => {
      if (!command.includes(Buffer.from('count the jobs').toString('base64')))
        return run(host, command, timeout);
      asked += 1;
      await end.promise;
      return { exitCode: 0, stdout: '0' };
    };
    await world.pass(15);
    expect(asked).toBe(2);
    world.editArray({ spec: { replicas: 3 } });
    await world.until(() => settled(world, 3), 120);
    expect(asked).toBeLessThanOrEqual(3);
    end.resolve();
    await world.until(() => asked > 3, 60);
  });
});
