/** The controller is killed at every named place; what it does after a restart happens once, and nothing is left over. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FailpointName, failpointNames } from '../../controller/base/failpoints.ts';
import { until } from '../lab/hosts/lab.ts';
import { type Installation, openInstallation } from './setup.ts';
import { Story, script, server, template } from './story.ts';

const duringDelete = failpointNames.filter((name) => name.startsWith('delete.'));
const duringBoot = failpointNames.filter((name) => /^(launch|boot)\./.test(name));
let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  story = await Story.open(site, 'crash');
  await story.apply(
    script('first', 'echo "first" >>/root/effects'),
    script('second', 'echo "second" >>/root/effects'),
    script('goodbye', 'echo "goodbye from $(hostname)"'),
    template('worker', { boot: ['first', 'second'], decommission: ['goodbye'] }),
  );
});

afterAll(() => site.close());

/** `launch.after-batch-created` as a name of a Server. */
function nameOf(failpoint: FailpointName): string {
  return failpoint.replace('.', '-');
}

async function crashAt(failpoint: FailpointName, cause: () => Promise<unknown>): Promise<void> {
  await site.killController();
  await site.startController({ RIDGELINE_FAILPOINT: failpoint });
  await cause();
  await until(`the end at ${failpoint}`, async () => !site.controllerRuns() || undefined, 60_000);
  await site.startController();
}

test.each(duringBoot)('killed at %s, a Server gets one machine and boots it once', async (failpoint) => {
  const name = nameOf(failpoint);
  await crashAt(failpoint, () => story.apply(server(name, 'worker')));
  await story.waitOperational(name);
  expect(await story.onMachine(name, 'cat /root/effects')).toBe('first\nsecond\n');
  expect(await site.launchedFor(name)).toHaveLength(1);
});

test.each(duringDelete)('killed at %s, a deleted Server says goodbye once and goes', async (failpoint) => {
  const name = nameOf(duringBoot[duringDelete.indexOf(failpoint)]!);
  await crashAt(failpoint, () => story.kubectl('delete', 'rlsrv', name, '--wait=false'));
  await story.kubectl('wait', `rlsrv/${name}`, '--for=delete', '--timeout=60s');
  const launched = await site.launchedFor(name);
  expect(launched.map(({ state }) => state)).not.toContain('running');
  expect(launched).toHaveLength(1);
  const log = (await site.stored()).get(`runs/crash/${name}-decommission-1/${name}.log`);
  expect(log?.match(/goodbye from/g)).toHaveLength(1);
});

test('nothing is left after all Servers are deleted', async () => {
  await story.kubectl('delete', 'rlsrv', '--all', '--timeout=100s');
  expect(await site.instances()).toEqual([]);
});
