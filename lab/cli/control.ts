/** Talks to the lab's control interface: the part of its API that AWS has not. */
import { z } from 'zod';
import { endpoint, network } from '../config.ts';
import { isUp } from '../launcher/lab.ts';
import { UsageError } from './verb.ts';

const instanceSchema = z.object({
  id: z.string(),
  state: z.string(),
  condition: z.string(),
  /** What was done to its root disk. */
  disk: z.string().optional(),
  type: z.string(),
  zone: z.string(),
  privateIp: z.string(),
  /** Place in the request that launched it. */
  launchIndex: z.number(),
  tags: z.record(z.string(), z.string()),
});
export type InstanceView = z.infer<typeof instanceSchema>;

/** Sends one order and returns the answer's JSON. Throws with the lab's own words. */
export async function control(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<unknown> {
  // Asked first: with no lab, and so no guard, the order would go to whoever has this address out there.
  if (!(await isUp())) throw new Error('the lab is down: start it with node lab/main.ts up');
  const answer = await fetch(`${endpoint}/_lab/${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the lab refused (${answer.status}): ${text.trim()}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** All instances the lab remembers, terminated ones included. */
export async function instances(): Promise<InstanceView[]> {
  return z.object({ instances: z.array(instanceSchema) }).parse(await control('GET', 'state')).instances;
}

/** The living instance a person means: by id, private address or Name tag. Throws when there is none or more than one. */
export async function findInstance(name: string): Promise<InstanceView> {
  const living = (await instances()).filter(({ state }) => state !== 'terminated');
  const found = living.filter(({ id, privateIp, tags }) => [id, privateIp, tags['Name']].includes(name));
  const [first, second] = found;
  if (first === undefined)
    throw new UsageError(`there is no machine "${name}"; node lab/main.ts status lists them`);
  if (second !== undefined)
    throw new UsageError(
      `"${name}" is ${found.length} machines; name one: ${found.map(({ id }) => id).join(', ')}`,
    );
  return first;
}

/** The address of a machine, or of this computer. */
export async function findAddress(name: string): Promise<string> {
  return name === 'computer' ? network.computer : (await findInstance(name)).privateIp;
}
