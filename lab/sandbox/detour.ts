/** The detour a machine's frames take through a relay while its network is impaired: instead of straight to the bridge. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineLink } from '../world/runtime.ts';
import { run, succeeds } from './command.ts';
import { cableName, namespacePath } from './network.ts';
import { relayPort, vxlanPort } from './relay.ts';

const program = path.join(import.meta.dirname, 'relay.ts');
const answerLimit = 10_000;
/**
 * Relays live in a network namespace beside the machines: a VXLAN would not send datagrams to an address of its own
 * namespace. The addresses are those kept for benchmarks; nobody outside of the lab sees them.
 */
const room = 'relays';
const labAddress = '198.19.0.1';
const relayBlock = '198.18.0.0/16';

/** Names of the interfaces of one machine's detour; the kernel takes 15 characters. Pure. */
export function detourDevices(instanceId: string): Record<'bridge' | 'near' | 'far', string> {
  const tail = instanceId.slice(-14);
  return { bridge: `d${tail}`, near: `n${tail}`, far: `f${tail}` };
}

/** What is no other detour's, by the machine's address: the ids of its two VXLANs and its relay's address. Pure. */
export function detourNumbers(privateIp: string): { near: number; far: number; relayAddress: string } {
  const [, , third = 0, fourth = 0] = privateIp.split('.').map(Number);
  const near = ((third << 8) | fourth) * 2 + 2;
  return { near, far: near + 1, relayAddress: `198.18.${third}.${fourth}` };
}

/** Makes the machine's cable follow the rules; without any it leads straight to the bridge. A machine that is down has no cable. */
export async function impairCable(link: MachineLink, pidFile: string): Promise<void> {
  if (!existsSync(namespacePath(link.instanceId))) return await removeDetour(link.instanceId, pidFile);
  if (link.rules.length === 0) {
    await succeeds('ip', ['link', 'set', cableName(link.instanceId), 'master', 'br0']);
    return await removeDetour(link.instanceId, pidFile);
  }
  await makeRoom();
  await startRelay(link, pidFile);
  await instruct(link);
  const { bridge } = detourDevices(link.instanceId);
  if (!(await succeeds('ip', ['link', 'show', bridge]))) await plugIn(link);
}

/** Takes relay and interfaces away; missing ones are fine. */
export async function removeDetour(instanceId: string, pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  await removeDevices(instanceId);
  const pid = await relayPid(pidFile);
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await rm(pidFile, { force: true });
}

async function removeDevices(instanceId: string): Promise<void> {
  for (const device of Object.values(detourDevices(instanceId)))
    await succeeds('ip', ['link', 'delete', device]);
}

/**
 * Cable, bridge of its own, VXLAN, relay, VXLAN, the lab's bridge. VXLAN, because it makes datagrams of frames, which a
 * program can hold back in any kernel; not every kernel has netem. The extra bridge must not answer ARP for the lab.
 */
async function plugIn({ instanceId, privateIp }: MachineLink): Promise<void> {
  const { bridge, near, far } = detourDevices(instanceId);
  const numbers = detourNumbers(privateIp);
  const lines = [
    `link add ${bridge} type bridge`,
    `link set ${bridge} arp off`,
    ...addVxlan(near, numbers.near),
    ...addVxlan(far, numbers.far),
    `link set ${near} master ${bridge} up`,
    `link set ${far} master br0 up`,
    `link set ${bridge} up`,
  ];
  try {
    await run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
    for (const device of [near, far]) {
      const way = ['dev', device, 'dst', numbers.relayAddress, 'port', `${relayPort}`];
      await run('bridge', ['fdb', 'append', '00:00:00:00:00:00', ...way]);
    }
    await run('ip', ['link', 'set', cableName(instanceId), 'master', bridge]);
  } catch (error) {
    await removeDevices(instanceId);
    throw error;
  }
}

function addVxlan(device: string, id: number): string[] {
  return [
    `link add ${device} mtu 1500 type vxlan id ${id} dstport ${vxlanPort} nolearning noudpcsum`,
    // Packets joined into one for the kernel's sake would not fit through: each goes by itself.
    `link set ${device} gso_max_segs 1`,
  ];
}

/** The relays' namespace and the cable to it, once per lab. */
async function makeRoom(): Promise<void> {
  if (existsSync(namespacePath(room))) return;
  const inside = [
    'link set lo up',
    'link set relay0 up',
    `route add local ${relayBlock} dev lo`,
    `route add ${labAddress} dev relay0`,
  ];
  const outside = [
    `link add relays type veth peer name relay0 netns ${room}`,
    `addr add ${labAddress}/32 dev relays`,
    'link set relays up',
    `route add ${relayBlock} dev relays src ${labAddress}`,
  ];
  await run('ip', ['netns', 'add', room]);
  try {
    await run('ip', ['-batch', '-'], { input: `${outside.join('\n')}\n` });
    await run('ip', ['-n', room, '-batch', '-'], { input: `${inside.join('\n')}\n` });
  } catch (error) {
    await succeeds('ip', ['link', 'delete', 'relays']);
    await succeeds('ip', ['netns', 'delete', room]);
    throw error;
  }
}

/** It outlives this process, as the machine does. */
async function startRelay(link: MachineLink, pidFile: string): Promise<void> {
  if ((await relayPid(pidFile)) !== undefined) return;
  const { near, far, relayAddress } = detourNumbers(link.privateIp);
  const relayArgs = [program, relayAddress, labAddress, `${near}`, `${far}`];
  // Ahead of everything else: what it waits for a processor is a delay nobody asked for.
  const args = [`--net=${namespacePath(room)}`, 'nice', '-n', '-15', process.execPath, ...relayArgs];
  const relay = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  relay.unref();
  await writeFile(pidFile, `${relay.pid}`);
}

/** Tells the relay its rules, again and again until it answers: it may only just be starting. */
async function instruct({ instanceId, privateIp, rules }: MachineLink): Promise<void> {
  const socket = createSocket('udp4');
  // Nobody listens there yet: the kernel says so, and we ask again.
  socket.on('error', () => undefined);
  const done = new Promise<true>((resolve) => socket.once('message', () => resolve(true)));
  const deadline = Date.now() + answerLimit;
  try {
    for (let isDone = false; !isDone; ) {
      if (Date.now() > deadline) throw new Error(`the relay of ${instanceId} does not answer`);
      socket.send(JSON.stringify(rules), relayPort, detourNumbers(privateIp).relayAddress);
      isDone = await Promise.race([done, sleep(50, false)]);
    }
  } finally {
    socket.close();
  }
}

async function relayPid(pidFile: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(pidFile, 'utf8'));
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(program) ? pid : undefined;
  } catch {
    return undefined;
  }
}
