/** The cloud misbehaves as EC2 sometimes does: the Server still becomes Operational, and exactly one machine is made. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { control } from '../../lab/cli/control.ts';
import { type Installation, openInstallation } from './setup.ts';
import { Story, server, template } from './story.ts';

let site: Installation;
let story: Story;
let metricsUrl: string;

beforeAll(async () => {
  site = await openInstallation();
  ({ metricsUrl } = await site.startController());
  story = await Story.open(site, 'faults');
  await story.apply(template('plain'), server('calm', 'plain'));
  await story.waitOperational('calm');
});

afterEach(() => control('DELETE', 'faults'));
afterAll(() => site.close());

async function launchUnder(name: string, fault: object): Promise<void> {
  await control('POST', 'faults', fault);
  // Takes the one read that a throttled lab lets through, so that the controller's first one is refused.
  await site.instances();
  await story.apply(server(name, 'plain'));
  await story.waitOperational(name);
  expect(await site.launchedFor(name)).toHaveLength(1);
}

/** Faults with `times` go when they have hit that often. */
async function faultsLeft(): Promise<unknown> {
  return control('GET', 'faults');
}

test('an answer that is lost after the launch', async () => {
  await launchUnder('lost-answer', { kind: 'drop-answer', action: 'RunInstances', times: 2 });
  expect(await faultsLeft()).toEqual({ faults: [] });
});

test('a 500 after the launch', async () => {
  await launchUnder('late-error', { kind: 'fail-after-commit', action: 'RunInstances', times: 2 });
  expect(await faultsLeft()).toEqual({ faults: [] });
});

test('reads that show the past', async () => {
  await launchUnder('stale', { kind: 'stale-reads', p50Ms: 2_000, p99Ms: 8_000, seed: 7 });
});

test('throttling of every call', async () => {
  await launchUnder('throttled', { kind: 'throttle', scale: 0.004 });
  const text = await (await fetch(metricsUrl)).text();
  expect(text).toMatch(/^ridgeline_cloud_throttled_total\{.*\} [1-9]/m);
});

test('no capacity in the first zone', async () => {
  const zone = await story.field('rlsrv/calm', '{.status.zone}');
  await launchUnder('elsewhere', { kind: 'no-capacity', type: '*', zone, left: 0 });
  expect(await story.field('rlsrv/elsewhere', '{.status.zone}')).not.toBe(zone);
  expect(await story.kubectl('get', 'events')).toMatch(/LaunchFailed.*rver\/elsewhere.*no/i);
});

test('a machine that cannot be terminated at first is terminated in the end', async () => {
  await control('POST', 'faults', { kind: 'drop-answer', action: 'TerminateInstances', times: 1 });
  await story.kubectl('delete', 'rlsrv', '--all', '--timeout=100s');
  expect(await site.instances()).toEqual([]);
});
