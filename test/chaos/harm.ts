/** What is done to servers of a cluster, by the lab's verbs, and how it is undone. */
import { StartInstancesCommand, StopInstancesCommand, waitUntilInstanceStopped } from '@aws-sdk/client-ec2';
import { control } from '../../lab/cli/control.ts';
import { network } from '../../lab/config.ts';
import type { DatabaseSite } from './database-site.ts';

/** Ways in which a primary dies for its clients. */
export const deaths = ['crash', 'power-off', 'hang', 'partition'] as const;
export type Death = (typeof deaths)[number];

export async function kill(site: DatabaseSite, server: string, death: Death): Promise<void> {
  if (death === 'crash') await site.killProcess(server);
  else if (death === 'partition') await cutOff(site, [server]);
  else await harm(site, server, death);
}

/** `hang`: nothing answers, yet its kernel takes connections; `resume` ends it. */
export async function harm(
  site: DatabaseSite,
  server: string,
  verb: 'power-off' | 'hang' | 'resume',
): Promise<void> {
  await control('POST', `instances/${await site.instanceOf(server)}/${verb}`);
}

/** No packet between the machine of a server and an address, in both directions or in one. */
export async function cut(from: string, to: string, isOneWay = false): Promise<void> {
  await control('POST', 'cuts', { from, to });
  if (!isOneWay) await control('POST', 'cuts', { from: to, to: from });
}

/** No packet between machines of servers on one side and those on the other. */
export async function cutApart(
  site: DatabaseSite,
  inside: readonly string[],
  outside: readonly string[],
): Promise<void> {
  const all = await site.addresses();
  await cutAll(addressesIn(all, inside), addressesIn(all, outside));
}

/** Servers from everything but each other, those that are spared, and the cloud, which can still stop them. */
export async function cutOff(
  site: DatabaseSite,
  inside: readonly string[],
  spared: readonly string[] = [],
): Promise<void> {
  const all = await site.addresses();
  const outs = [...all].flatMap(([server, address]) =>
    [...inside, ...spared].includes(server) ? [] : [address],
  );
  await cutAll(addressesIn(all, inside), [...outs, network.computer]);
}

function addressesIn(all: ReadonlyMap<string, string>, servers: readonly string[]): readonly string[] {
  return servers.flatMap((server) => all.get(server) ?? []);
}

/** The last of `outs` are cut last. */
async function cutAll(ins: readonly string[], outs: readonly string[]): Promise<void> {
  const pairs = outs.flatMap((to) => ins.map((from) => [from, to] as const));
  await Promise.all(pairs.map(([from, to]) => cut(from, to)));
}

/** Mends the network after `work`, whatever becomes of it. */
export async function healAfter(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await control('DELETE', 'cuts');
  }
}

/** EC2 has a fault during `work`. */
export async function whileCloud(fault: object, work: () => Promise<void>): Promise<void> {
  const { id } = (await control('POST', 'faults', fault)) as { readonly id: string };
  try {
    await work();
  } finally {
    await control('DELETE', `faults/${id}`);
  }
}

/** A person brings machines without power back; as those still count as running, they are stopped first. */
export async function bringBack(site: DatabaseSite, servers: readonly string[]): Promise<void> {
  const { ec2 } = site.installation;
  const InstanceIds = await Promise.all(servers.map((server) => site.instanceOf(server)));
  await ec2.send(new StopInstancesCommand({ InstanceIds, Force: true }));
  await waitUntilInstanceStopped({ client: ec2, minDelay: 1, maxDelay: 2, maxWaitTime: 60 }, { InstanceIds });
  await ec2.send(new StartInstancesCommand({ InstanceIds }));
  await site.story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=120s');
}
