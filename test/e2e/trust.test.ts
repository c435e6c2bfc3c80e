/** Somebody else at the address, or before it: the controller speaks to nobody but the machine whose key it knows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LaunchBatch } from '../../controller/api/launch-batch.ts';
import { until } from '../lab/hosts/lab.ts';
import { type Installation, openInstallation } from './setup.ts';
import { object, Story, script, server, template } from './story.ts';

const strangersKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5vdGFrZXlub3Rha2V5bm90YWtleW5vdGFrZXkxMjM0';
let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  story = await Story.open(site, 'trust');
  await story.apply(
    script('touch', 'touch /root/touched'),
    template(
      'plain',
      { boot: ['touch'] },
      { health: { type: 'TCP', periodSeconds: 1, failureThreshold: 1 } },
    ),
  );
});

afterAll(() => site.close());

/** How often sshd let anybody in. */
async function logins(name: string): Promise<number> {
  return Number(
    await story.onMachine(name, 'journalctl -t sshd -t sshd-session --grep "^Accepted" -q | wc -l'),
  );
}

test('somebody hands in keys before the machine does', async () => {
  await site.startController({ RIDGELINE_FAILPOINT: 'launch.after-batch-created' });
  await story.apply(server('early', 'plain'));
  await until('the end of the controller', async () => !site.controllerRuns() || undefined, 60_000);
  const [batch] = (await story.objects('launchbatches')) as readonly LaunchBatch[];
  const [url] = /http:\/\/[^']+/.exec(batch?.spec.request.userData ?? '') ?? [];
  const headers = { 'if-none-match': '*' };
  const stolen = await fetch(url!, { method: 'PUT', body: `${strangersKey}\n`, headers });
  expect(stolen.status).toBe(200);
  await site.startController();
});

test('another key at the known address: nothing is sent to it', async () => {
  await story.apply(server('web', 'plain'));
  await story.waitOperational('web');
  const before = await logins('web');
  expect(before).toBeGreaterThan(0);
  const impostor = [
    'rm /etc/ssh/ssh_host_*',
    'ssh-keygen -A >/dev/null',
    'rm /root/touched',
    'systemctl restart ssh',
    'pkill sshd-session; true',
  ];
  await story.onMachine('web', impostor.join(' && '));
  const { message } = await story.waitFor('rlsrv/web', 'HostKeyMismatch', 'SSHReachable');
  expect(message).toMatch(/offered ED25519:SHA256:.*, pinned is .*ED25519:SHA256:.* No connection was used/);
  await story.waitFor('rlsrv/web', 'Unreachable');
  await story.apply(
    object('ScriptRun', 'again', { target: { server: 'web' }, scriptRef: { name: 'touch' } }),
  );
  await story.waitFor('rlr/again', 'Failed', 'Finished');
  expect(await story.onMachine('web', 'ls /root')).not.toContain('touched');
  expect(await logins('web')).toBe(before);
});

test('that machine is told from the others and never spoken to', async () => {
  const ready = await story.waitFor('rlsrv/early', 'Stranded');
  const reached = await story.waitFor('rlsrv/early', 'AttestationConflict', 'SSHReachable');
  expect(`${ready.message} ${reached.message}`).toContain('not trusted');
  expect(await logins('early')).toBe(0);
  expect(await story.onMachine('early', 'ls /root')).not.toContain('touched');
  expect(await site.launchedFor('early')).toHaveLength(1);
});
