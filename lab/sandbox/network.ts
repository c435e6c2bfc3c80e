/** A machine's place on the lab's bridge: a network namespace with one interface, and the other end of its cable. */
import { existsSync } from 'node:fs';
import type { MachineSpec } from '../world/runtime.ts';
import { run, succeeds } from './command.ts';

/** Path of the machine's network namespace. */
export function namespacePath(instanceId: string): string {
  return `/run/netns/${instanceId}`;
}

/** The bridge's end of the cable; interface names have at most 15 characters. */
export function cableName(instanceId: string): string {
  return `v${instanceId.slice(-14)}`;
}

/**
 * Always the same for an address: with random ones, whoever knew the address's last machine talks into the void
 * until its neighbour entry is stale, which took 50 s.
 */
export function hardwareAddress(ip: string): string {
  const octets = ip.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return ['02', '4d', ...octets].join(':');
}

/** Plugs the machine in, from nothing or from a pulled cable. */
export async function connect(spec: MachineSpec): Promise<void> {
  const name = spec.instanceId;
  const cable = cableName(name);
  if (existsSync(namespacePath(name))) {
    await run('ip', ['link', 'set', cable, 'up']);
    return;
  }
  await run('ip', ['netns', 'add', name]);
  const outside = [
    `link add ${cable} type veth peer name eth0 address ${hardwareAddress(spec.privateIp)} netns ${name}`,
    `link set ${cable} master br0 up`,
  ];
  const inside = [
    'link set lo up',
    `addr add ${spec.privateIp}/${spec.prefixLength} dev eth0`,
    'link set eth0 up',
    `route add default via ${spec.gateway}`,
  ];
  try {
    await run('ip', ['-batch', '-'], { input: `${outside.join('\n')}\n` });
    await run('ip', ['-n', name, '-batch', '-'], { input: `${inside.join('\n')}\n` });
  } catch (error) {
    await disconnect(name);
    throw error;
  }
}

/** Pulls the cable: from now on nobody hears anything of the machine, not even a reset. */
export async function pullCable(instanceId: string): Promise<void> {
  await succeeds('ip', ['link', 'set', cableName(instanceId), 'down']);
}

/** Removes the interface and the namespace; missing ones are fine. */
export async function disconnect(instanceId: string): Promise<void> {
  await succeeds('ip', ['link', 'delete', cableName(instanceId)]);
  await succeeds('ip', ['netns', 'delete', instanceId]);
}
