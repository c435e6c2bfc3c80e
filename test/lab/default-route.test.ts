/** What is sent to the lab's subnet never leaves this computer, whether the lab runs, is dying or is dead. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { network } from '../../lab/config.ts';
import { addGuardRoute, removeGuardRoute } from '../../lab/launcher/guard-route.ts';
import { down, labInit, up } from '../../lab/launcher/lab.ts';

const addresses = [network.gateway, network.nameServer, '10.77.200.9'];

/** Counts, and stops, what would leave by any interface but the lab's own. */
const trap = `table inet ridgeline_test {
  chain leaving {
    type filter hook output priority 0; policy accept;
    ip daddr ${network.cidr} oifname != { "rlhost", "lo" } counter drop
  }
}`;

function packetsThatWouldLeave(): number {
  const rules = execFileSync('nft', ['list', 'table', 'inet', 'ridgeline_test'], { encoding: 'utf8' });
  return Number(/counter packets (\d+)/.exec(rules)?.[1]);
}

/** One datagram and one connection attempt; the error code of the connection. A packet that leaves ends in `timeout`. */
async function send(address: string): Promise<string> {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.send('hello', 53, address, resolve));
  socket.close();
  const connection = connect({ host: address, port: network.apiPort, timeout: 2000 });
  const outcome = await new Promise<string>((resolve) => {
    connection.on('connect', () => resolve('connected'));
    connection.on('timeout', () => resolve('timeout'));
    connection.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    connection.on('close', () => resolve('closed'));
  });
  // Else the kernel goes on asking, once a second, and the next test counts it.
  connection.destroy();
  return outcome;
}

async function expectRefusedAtOnce(): Promise<void> {
  for (const address of addresses) {
    expect(['EHOSTUNREACH', 'ENETUNREACH']).toContain(await send(address));
  }
  expect(packetsThatWouldLeave()).toBe(0);
}

beforeAll(async () => {
  await down();
  execFileSync('nft', ['-f', '-'], { input: trap });
});

afterAll(async () => {
  execFileSync('nft', ['delete', 'table', 'inet', 'ridgeline_test']);
  await down();
});

test('without the guard a packet would leave: the trap of this test works', async () => {
  await send(network.gateway);
  expect(packetsThatWouldLeave()).toBeGreaterThan(0);
  execFileSync('nft', ['delete', 'table', 'inet', 'ridgeline_test']);
  execFileSync('nft', ['-f', '-'], { input: trap });
});

test('with the guard and no lab, everything is refused at once', async () => {
  await addGuardRoute(network.cidr);
  await expectRefusedAtOnce();
  await removeGuardRoute(network.cidr);
});

test('the live lab is reached, and a lab killed with SIGKILL is not looked for elsewhere', async () => {
  await up({ progress: () => undefined });
  expect(await send(network.gateway)).toBe('connected');
  expect(packetsThatWouldLeave()).toBe(0);

  process.kill(labInit() ?? 0, 'SIGKILL');
  // The kernel needs a moment to take the cable away; packets meanwhile end in the dead lab.
  for (let tries = 0; tries < 100 && linkExists(); tries++) await sleep(50);
  expect(linkExists()).toBe(false);
  await expectRefusedAtOnce();
});

test('down takes the guard away', async () => {
  await down();
  const routes = execFileSync('ip', ['route', 'show'], { encoding: 'utf8' });
  expect(routes).not.toContain('10.77.');
});

function linkExists(): boolean {
  return execFileSync('ip', ['-brief', 'link'], { encoding: 'utf8' }).includes('rlhost');
}
