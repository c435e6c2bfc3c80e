/** A host boots as an EC2 instance does, runs its user data once, and keeps its disk over reboot, stop and start. */
import {
  GetConsoleOutputCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Host, LabUnderTest, probe, until } from './lab.ts';

let lab: LabUnderTest;
let host: Host;

beforeAll(async () => {
  lab = await LabUnderTest.start();
  host = await lab.boot(
    '#!/bin/bash\necho ran >> /root/user-data-runs\necho hello from user data\necho straight > /dev/console\n',
  );
});

afterAll(() => lab.end());

const bootId = (): Promise<string> => lab.ssh(host, 'cat /proc/sys/kernel/random/boot_id');

/** Waits for the operating system after the one with this boot id. */
async function nextBoot(before: string): Promise<void> {
  await until('next boot', async () => {
    const now = await bootId().catch(() => before);
    return now === before ? undefined : now;
  });
  await lab.waitBooted(host);
}

test('admin logs in by key and is root by sudo', async () => {
  expect(await lab.ssh(host, 'whoami; sudo -n whoami')).toBe('admin\nroot');
});

test('systemd is process 1 and nothing of it failed', async () => {
  expect(await lab.ssh(host, 'cat /proc/1/comm; systemctl --failed --no-legend | wc -l')).toBe('systemd\n0');
});

test('it has the name and address EC2 says, and its own load', async () => {
  const name = `ip-${host.ip.replaceAll('.', '-')}`;
  expect(await lab.ssh(host, 'hostname; hostname --all-ip-addresses | tr -d " "; cat /proc/loadavg')).toBe(
    `${name}\n${host.ip}\n0.00 0.00 0.00 1/50 100`,
  );
});

test('the metadata service answers with a token only', async () => {
  const base = 'http://169.254.169.254/latest';
  expect(await lab.ssh(host, `curl -s -o /dev/null -w '%{http_code}' ${base}/meta-data/instance-id`)).toBe(
    '401',
  );
  const token = `$(curl -s -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" ${base}/api/token)`;
  expect(
    await lab.ssh(host, `curl -s -H "X-aws-ec2-metadata-token: ${token}" ${base}/meta-data/instance-id`),
  ).toBe(host.id);
});

test('the console has what user data said, both ways', async () => {
  const text = await until('console', async () => {
    const { Output } = await lab.ec2.send(new GetConsoleOutputCommand({ InstanceId: host.id, Latest: true }));
    const console = Buffer.from(Output ?? '', 'base64').toString();
    return console.includes('finished') ? console : undefined;
  });
  expect(text).toContain('hello from user data');
  expect(text).toContain('straight');
  expect(text).toContain('SSH HOST KEY FINGERPRINTS');
});

test('a reboot is a new operating system on the same disk; user data does not run again', async () => {
  await lab.ssh(host, 'echo kept | sudo tee /root/kept');
  const before = await bootId();
  await lab.ec2.send(new RebootInstancesCommand({ InstanceIds: [host.id] }));
  await nextBoot(before);
  expect(await lab.ssh(host, 'sudo cat /root/kept /root/user-data-runs')).toBe('kept\nran');
});

test('so is a stop and a start; while it is stopped its address is silent', async () => {
  const keys = await lab.ssh(host, 'cat /etc/ssh/ssh_host_ed25519_key.pub');
  const before = await bootId();
  await lab.ec2.send(new StopInstancesCommand({ InstanceIds: [host.id] }));
  await lab.waitState(host, 'stopped');
  expect(await probe(host.ip, 22)).toBe('silence');
  await lab.ec2.send(new StartInstancesCommand({ InstanceIds: [host.id] }));
  await lab.waitState(host, 'running');
  await nextBoot(before);
  expect(await lab.ssh(host, 'sudo cat /root/kept /root/user-data-runs')).toBe('kept\nran');
  expect(await lab.ssh(host, 'cat /etc/ssh/ssh_host_ed25519_key.pub')).toBe(keys);
});

test('a host that powers itself off is stopped for EC2', async () => {
  await lab.ssh(host, 'sudo systemctl poweroff').catch(() => undefined);
  await lab.waitState(host, 'stopped');
  await lab.ec2.send(new StartInstancesCommand({ InstanceIds: [host.id] }));
  await lab.waitState(host, 'running');
  await lab.waitBooted(host);
});
