/** TCP ports on 127.0.0.1 that a restart finds again. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';

/**
 * One port per name: those stored in `file` while `inUse` (by us) or while nobody took one, else free ones, which are
 * stored. Whoever configured a client with them is not surprised by a restart.
 */
export async function stablePorts<Name extends string>(
  file: string,
  names: readonly Name[],
  inUse: boolean,
): Promise<Readonly<Record<Name, number>>> {
  if (existsSync(file)) {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<Name, number>;
    if (inUse || (await claim(names.map((name) => stored[name])))) return stored;
  }
  const free = (await claim(names.map(() => 0)))!;
  const ports = Object.fromEntries(names.map((name, index) => [name, free[index]!])) as Record<Name, number>;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

/** Binds all `ports` at once (0 = any) and lets go again; undefined when one is taken. */
async function claim(ports: readonly number[]): Promise<number[] | undefined> {
  const servers: Server[] = [];
  try {
    for (const port of ports) {
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  } catch {
    return undefined;
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), 'close')));
  }
}
