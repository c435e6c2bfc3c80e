/** What is done to servers of a cluster, by the lab's verbs, and how it is undone. */
import { control } from '../../lab/cli/control.ts';
import { network } from '../../lab/config.ts';
import type { DatabaseSite } from './database-site.ts';

/** Ways in which a primary dies for its clients. */
export const deaths = ['crash', 'power-off', 'hang', 'partition'] as const;
export type Death = (typeof deaths)[number];

export async function kill(site: DatabaseSite, server: string, death: Death): Promise<void> {
  if (death === 'crash') await site.killProcess(server);
  else if (death === 'partition') await isolate(site, server);
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

/** From everything but the cloud, which can still stop it. */
async function isolate(site: DatabaseSite, server: string): Promise<void> {
  const own = await site.addressOf(server);
  const all = await site.story.field('rlsrv', '{.items[*].status.privateIP}');
  const others = all.split(' ').filter((address) => address !== own);
  // The controller last: it must not miss what clients still saw.
  await Promise.all([...others, network.computer].map((other) => cut(own, other)));
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
