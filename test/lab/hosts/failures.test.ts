/** Crash, power-off and hang look different from outside; cuts and security groups stop exactly what they name. */
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { control } from '../../../lab/cli/control.ts';
import { type Host, LabUnderTest, probe, until } from './lab.ts';

let lab: LabUnderTest;
let first: Host;
let second: Host;

beforeAll(async () => {
  lab = await LabUnderTest.start();
  [first, second] = await Promise.all([lab.boot(), lab.boot()]);
});

afterAll(() => lab.end());

const harm = (host: Host, verb: string): Promise<unknown> => control('POST', `instances/${host.id}/${verb}`);
const pings = async (from: Host, to: Host): Promise<boolean> => {
  const result = await lab.ssh(from, `ping -c 2 -i 0.2 -W 1 -q ${to.ip} > /dev/null; echo $?`);
  return result === '0';
};

test('a hung host accepts connections and says nothing; it comes back as it was', async () => {
  await lab.ssh(first, 'echo here | sudo tee /run/memory');
  await harm(first, 'hang');
  expect(await probe(first.ip, 22)).toBe('connected, silent');
  await harm(first, 'resume');
  expect(await probe(first.ip, 22)).toMatch(/^SSH-2.0-/);
  expect(await lab.ssh(first, 'cat /run/memory')).toBe('here');
});

test('a crashed host refuses connections', async () => {
  await harm(first, 'crash');
  expect(await probe(first.ip, 22)).toBe('ECONNREFUSED');
  expect(await lab.state(first)).toBe('running');
});

test('a host without power is silent', async () => {
  const host = await lab.boot();
  await harm(host, 'power-off');
  expect(await probe(host.ip, 22)).toBe('silence');
});

test('load is what the lab says it is', async () => {
  await control('POST', `instances/${second.id}/load`, { load: 3.5 });
  expect(await lab.ssh(second, 'cut -d" " -f1 /proc/loadavg')).toBe('3.50');
});

test('a cut stops packets in one direction only, until it is healed', async () => {
  const third = await lab.boot();
  // An echo's answer comes the other way, so only UDP without an answer shows the direction.
  const listen = (host: Host): Promise<string> =>
    lab.ssh(host, 'sudo timeout 3 socat -u UDP-RECV:40000 STDOUT | head -c 2 || true');
  const shout = (from: Host, to: Host): Promise<string> =>
    lab.ssh(from, `for i in 1 2 3 4 5; do echo hi | socat - UDP-SENDTO:${to.ip}:40000; sleep 0.3; done`);
  const heard = async (from: Host, to: Host): Promise<boolean> =>
    (await Promise.all([listen(to), shout(from, to)]))[0] === 'hi';

  expect(await pings(second, third)).toBe(true);
  await control('POST', 'cuts', { from: second.ip, to: third.ip });
  expect(await heard(second, third)).toBe(false);
  expect(await heard(third, second)).toBe(true);
  await control('DELETE', 'cuts');
  expect(await heard(second, third)).toBe(true);
});

test('a security group lets in what it names and drops the rest', async () => {
  const created = await lab.ec2.send(
    new CreateSecurityGroupCommand({ GroupName: `test-${Date.now()}`, Description: 'test' }),
  );
  const group = created.GroupId ?? '';
  const port = (
    number: number,
  ): { GroupId: string; IpProtocol: string; FromPort: number; ToPort: number; CidrIp: string } => ({
    GroupId: group,
    IpProtocol: 'tcp',
    FromPort: number,
    ToPort: number,
    CidrIp: '10.77.0.0/16',
  });
  await lab.ec2.send(new AuthorizeSecurityGroupIngressCommand(port(22)));
  const web = '#!/bin/sh\nbusybox httpd -p 80 -h /tmp\n';
  const host = await lab.boot(web, { SecurityGroupIds: [group] });
  expect(await probe(host.ip, 80)).toBe('silence');
  expect(await pings(second, host)).toBe(false);
  expect(await pings(host, second)).toBe(true);
  await lab.ec2.send(new AuthorizeSecurityGroupIngressCommand(port(80)));
  await until('open port', async () =>
    (await probe(host.ip, 80)) === 'connected, silent' ? true : undefined,
  );
  await lab.ec2.send(new RevokeSecurityGroupIngressCommand(port(80)));
  await until('closed port', async () => ((await probe(host.ip, 80)) === 'silence' ? true : undefined));
});
