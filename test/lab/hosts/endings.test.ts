/** How a host ends: told and waited for, told and cut off, or cut off at once; and what it may ask for itself. */
import {
  DescribeInstancesCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Host, LabUnderTest, probe, until } from './lab.ts';

/** Notes on disk every word it hears on its way down. */
const witness = `#!/bin/bash
cat > /usr/local/bin/witness <<'END'
#!/bin/bash
trap 'echo TERM >> /root/heard; exit 0' TERM
while :; do sleep 0.1; done
END
chmod +x /usr/local/bin/witness
cat > /etc/systemd/system/witness.service <<'END'
[Service]
ExecStart=/usr/local/bin/witness
ExecStop=/bin/sh -c 'echo ExecStop >> /root/heard'
END
systemctl start witness
`;
/** Whoever holds up the shutdown for longer than anybody waits. */
const stubborn = `#!/bin/bash
cat > /etc/systemd/system/stubborn.service <<'END'
[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sleep 600
TimeoutStopSec=900
END
systemctl start stubborn
`;

let lab: LabUnderTest;
let told: Host;
let forced: Host;
let cut: Host;
let slow: Host;

beforeAll(async () => {
  lab = await LabUnderTest.start();
  [told, forced, cut, slow] = await Promise.all([
    lab.boot(witness),
    lab.boot(witness),
    lab.boot(witness),
    lab.boot(stubborn),
  ]);
});

afterAll(() => lab.end());

const bootId = (host: Host): Promise<string> => lab.ssh(host, 'cat /proc/sys/kernel/random/boot_id');
const heard = (host: Host): Promise<string> =>
  lab.asRoot(host, 'cat /root/heard 2>/dev/null; rm -f /root/heard');

async function nextBoot(host: Host, before: string): Promise<void> {
  await until('next boot', async () => {
    const now = await bootId(host).catch(() => before);
    return now === before ? undefined : now;
  });
  await lab.waitBooted(host);
}

async function reason(host: Host): Promise<string | undefined> {
  const { Reservations } = await lab.ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] }));
  return Reservations?.[0]?.Instances?.[0]?.StateReason?.Code;
}

async function stopAndStart(host: Host, how: object): Promise<void> {
  const ids = { InstanceIds: [host.id] };
  const { StoppingInstances } = await lab.ec2.send(new StopInstancesCommand({ ...ids, ...how }));
  expect(StoppingInstances).toMatchObject([
    { CurrentState: { Name: 'stopping' }, PreviousState: { Name: 'running' } },
  ]);
  await lab.waitState(host, 'stopped');
  expect(await reason(host)).toBe('Client.UserInitiatedShutdown');
  await lab.ec2.send(new StartInstancesCommand(ids));
  await lab.waitState(host, 'running');
  await lab.waitBooted(host);
}

test('a stop tells the services, with Force too; only SkipOsShutdown does not', async () => {
  await Promise.all([
    stopAndStart(told, {}),
    stopAndStart(forced, { Force: true }),
    stopAndStart(cut, { SkipOsShutdown: true }),
  ]);
  expect(await heard(told)).toBe('ExecStop\nTERM');
  expect(await heard(forced)).toBe('ExecStop\nTERM');
  expect(await heard(cut)).toBe('');
});

test('a host that does not end is waited for, until somebody asks to skip that', async () => {
  const ids = { InstanceIds: [slow.id] };
  await lab.ec2.send(new StopInstancesCommand({ ...ids, Force: true }));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(await lab.state(slow)).toBe('stopping');
  const asked = Date.now();
  await lab.ec2.send(new StopInstancesCommand({ ...ids, SkipOsShutdown: true }));
  await lab.waitState(slow, 'stopped');
  expect(Date.now() - asked).toBeLessThan(5_000);
});

test('a reboot through the API tells the services and keeps the disk', async () => {
  await lab.asRoot(told, 'systemctl start witness');
  const before = await bootId(told);
  await lab.ec2.send(new RebootInstancesCommand({ InstanceIds: [told.id] }));
  await nextBoot(told, before);
  expect(await heard(told)).toBe('ExecStop\nTERM');
});

test.each(['systemctl reboot', 'reboot'])(
  '%s on the host: same disk, and EC2 does not notice',
  async (command) => {
    await lab.asRoot(cut, 'systemctl start witness; echo kept > /root/kept');
    const before = await bootId(cut);
    await lab.asRoot(cut, command).catch(() => undefined);
    await nextBoot(cut, before);
    expect(await heard(cut)).toBe('ExecStop\nTERM');
    expect(await lab.asRoot(cut, 'cat /root/kept')).toBe('kept');
    expect(await lab.state(cut)).toBe('running');
  },
);

test('shutdown -h now on the host stops the instance, and it can be started again', async () => {
  await lab.asRoot(forced, 'shutdown -h now').catch(() => undefined);
  await lab.waitState(forced, 'stopped');
  expect(await reason(forced)).toBe('Client.InstanceInitiatedShutdown');
  expect(await probe(forced.ip, 22)).toBe('silence');
  await lab.ec2.send(new StartInstancesCommand({ InstanceIds: [forced.id] }));
  await lab.waitState(forced, 'running');
  await lab.waitBooted(forced);
});

test('or terminates it, where its shutdown behavior says so', async () => {
  await lab.ec2.send(
    new ModifyInstanceAttributeCommand({
      InstanceId: forced.id,
      InstanceInitiatedShutdownBehavior: { Value: 'terminate' },
    }),
  );
  await lab.asRoot(forced, 'systemctl poweroff').catch(() => undefined);
  await lab.waitState(forced, 'terminated');
  expect(await reason(forced)).toBe('Client.InstanceInitiatedShutdown');
});

test('a termination that skips the shutdown waits for nobody', async () => {
  await lab.ec2.send(new StartInstancesCommand({ InstanceIds: [slow.id] }));
  await lab.waitState(slow, 'running');
  await lab.waitBooted(slow);
  await lab.asRoot(slow, 'systemctl start stubborn');
  const asked = Date.now();
  await lab.ec2.send(new TerminateInstancesCommand({ InstanceIds: [slow.id], SkipOsShutdown: true }));
  await lab.waitState(slow, 'terminated');
  expect(Date.now() - asked).toBeLessThan(5_000);
});
