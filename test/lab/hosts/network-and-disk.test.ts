/** An impaired network and a broken disk, as the hosts see them; heal ends both. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Host, LabUnderTest, until } from './lab.ts';

let lab: LabUnderTest;
let first: Host;
let second: Host;
let third: Host;

beforeAll(async () => {
  lab = await LabUnderTest.start();
  [first, second, third] = await Promise.all([lab.boot(), lab.boot(), lab.boot()]);
});

beforeEach(() => verb('heal'));
afterAll(() => lab.end());

/** As a person types it. */
async function verb(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['lab/main.ts', ...words]);
  return stdout;
}

interface Pings {
  readonly received: number;
  readonly duplicates: number;
  /** Milliseconds. */
  readonly least: number;
  readonly most: number;
}

async function ping(from: Host, to: Host, count = 10, interval = 0.05): Promise<Pings> {
  const text = await lab.ssh(from, `ping -c ${count} -i ${interval} -W 2 -q ${to.ip} || true`);
  const [, least, , most] = /= ([\d.]+)\/([\d.]+)\/([\d.]+)\//.exec(text) ?? [];
  return {
    received: Number(/(\d+) received/.exec(text)?.[1] ?? 0),
    duplicates: Number(/\+(\d+) duplicates/.exec(text)?.[1] ?? 0),
    least: Number(least),
    most: Number(most),
  };
}

/** Milliseconds for so many KiB over TCP, which also shows that no byte was harmed. */
async function transfer(from: Host, to: Host, kib: number): Promise<number> {
  const receive = lab.ssh(to, 'timeout 9 socat -u TCP-LISTEN:5000,reuseaddr - | sha256sum');
  await until('listener', async () =>
    (await lab.ssh(to, 'ss -Htln sport = 5000')) === '' ? undefined : true,
  );
  const send = `head -c ${kib}K /dev/urandom > /tmp/sent; t=$(date +%s%3N); socat -u /tmp/sent TCP:${to.ip}:5000; sha256sum < /tmp/sent; echo $t`;
  const [hash, began] = (await lab.ssh(from, send)).split('\n');
  expect(await receive).toBe(hash);
  return Number(await lab.ssh(from, 'date +%s%3N')) - Number(began);
}

test('delay between two hosts is on the way there and back, and nobody else has it', async () => {
  expect(await verb('delay', first.id, second.ip, '60ms')).toContain('60');
  expect((await ping(first, second)).least).toBeGreaterThanOrEqual(119);
  expect((await ping(first, second)).least).toBeLessThan(200);
  expect((await ping(first, third)).least).toBeLessThan(40);
  expect((await ping(third, second)).least).toBeLessThan(40);
  await transfer(first, second, 300);
  await verb('heal');
  expect((await ping(first, second)).least).toBeLessThan(40);
});

test('one way, it is on that way only, whoever serves the API; jitter comes on top of it', async () => {
  await verb('delay', first.id, '50ms', '--one-way');
  await verb('restart-api');
  const steady = await ping(first, third);
  expect(steady.least).toBeGreaterThanOrEqual(49);
  expect(steady.least).toBeLessThan(90);
  await verb('jitter', first.id, '100ms', '--one-way');
  const shaky = await ping(first, third, 20);
  expect(shaky.most - shaky.least).toBeGreaterThan(40);
});

test('loss, duplication and reordering', async () => {
  await verb('loss', first.id, '50%', '--one-way');
  // Asked from another host: half of what we say to this one would be lost too.
  const lossy = await ping(third, first, 60, 0.01);
  expect(lossy.received).toBeGreaterThan(10);
  expect(lossy.received).toBeLessThan(50);
  expect((await ping(second, third, 20, 0.01)).received).toBe(20);
  await verb('heal', first.id);
  expect((await ping(third, first, 20, 0.01)).received).toBe(20);
  await verb('duplicate', first.id, second.id, '100%', '--one-way');
  expect((await ping(first, second, 20, 0.05)).duplicates).toBeGreaterThan(10);
  await verb('duplicate', first.id, second.id, '0%', '--one-way');
  await verb('reorder', first.id, second.id, '30%', '--one-way');
  const order = await lab.ssh(
    first,
    `ping -c 60 -i 0.002 -W 1 ${second.ip} | grep -o "seq=[0-9]*" | cut -d= -f2`,
  );
  const numbers = order.split('\n').map(Number);
  expect(numbers).toHaveLength(60);
  expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
});

test('bandwidth slows what goes through, and a stop and start does not heal it', async () => {
  const fast = await transfer(first, second, 256);
  await verb('bandwidth', second.id, '1mbit');
  const slow = await transfer(first, second, 256);
  expect(slow).toBeGreaterThan(1_600);
  expect(slow).toBeGreaterThan(fast * 2);
  const ids = { InstanceIds: [second.id] };
  await lab.ec2.send(new StopInstancesCommand({ ...ids, SkipOsShutdown: true }));
  await lab.waitState(second, 'stopped');
  await lab.ec2.send(new StartInstancesCommand(ids));
  await lab.waitState(second, 'running');
  await lab.waitBooted(second);
  expect(await transfer(first, second, 256)).toBeGreaterThan(1_600);
});

const write = (host: Host): Promise<string> =>
  lab.asRoot(host, 'head -c 1M /dev/zero > /var/tmp/file 2>/tmp/why; cat /tmp/why 2>/dev/null; true');

test('a full disk is ENOSPC on this host alone; heal gives the room back', async () => {
  await verb('disk-full', third.id);
  expect(
    await lab.asRoot(third, 'head -c 1M /dev/zero > /var/tmp/file').catch((error: Error) => error.message),
  ).toContain('No space left on device');
  expect(await lab.ssh(third, 'df --output=pcent / | tail -1')).toContain('100%');
  expect(await lab.ssh(second, 'df --output=pcent / | tail -1')).not.toContain('100%');
  await verb('heal');
  expect(await write(third)).toBe('');
});

test('a disk that went read-only is EROFS, also for a file that is open; a boot mends it, and so does heal', async () => {
  const holder =
    'exec 7>/var/tmp/open; echo one >&7; for i in $(seq 50); do [ -e /run/go ] && break; sleep 0.1; done; echo two >&7';
  const open = lab.asRoot(first, holder).catch((error: Error) => error.message);
  await until('open file', async () =>
    (await lab.asRoot(first, 'cat /var/tmp/open || true')) === 'one' ? true : undefined,
  );
  await verb('disk-read-only', first.id);
  await lab.asRoot(first, 'touch /run/go');
  expect(await open).toContain('Read-only file system');
  expect(await lab.asRoot(first, 'touch /var/tmp/new').catch((error: Error) => error.message)).toContain(
    'Read-only file system',
  );
  await verb('heal');
  await lab.waitBooted(first);
  expect(await lab.asRoot(first, 'echo three > /var/tmp/new; cat /var/tmp/open /var/tmp/new')).toBe(
    'one\nthree',
  );
});

test('a wrong order is refused with the reason', async () => {
  const said = (...words: string[]): Promise<string> =>
    verb(...words).catch((error: { stderr?: string }) => error.stderr ?? '');
  expect(await said('delay', 'nobody', '10ms')).toContain('there is no machine "nobody"');
  expect(await said('delay', first.id, '10')).toContain('e.g. 100ms');
  expect(await said('loss', first.id, '101%')).toContain('0% to 100%');
  expect(await said('disk-full', 'computer')).toContain('there is no machine "computer"');
});
