/**
 * The route that keeps the lab's packets on this machine. Without it, what is sent to a lab that is down or dying follows the
 * default route to somebody else's network, where a stranger may answer. The live lab's own route has a smaller metric and wins.
 */
import { run } from '../sandbox/command.ts';
import { guardMetric, hasGuard, parseRoutes } from './routes.ts';

const guard = (cidr: string): string[] => ['unreachable', cidr, 'metric', `${guardMetric}`];

/** To be called before anything sends to the lab. Idempotent. */
export async function addGuardRoute(cidr: string): Promise<void> {
  if (!(await present(cidr))) await run('ip', ['route', 'add', ...guard(cidr)]);
}

/**
 * To be called when nothing of the lab is left. Idempotent. The kernel goes on sending for connections whose process ended
 * long ago, so those to the lab are closed first: without the guard they would look for it elsewhere.
 */
export async function removeGuardRoute(cidr: string): Promise<void> {
  await run('ss', ['--kill', '--tcp', '--numeric', 'state', 'connected', 'dst', cidr]);
  if (await present(cidr)) await run('ip', ['route', 'delete', ...guard(cidr)]);
}

async function present(cidr: string): Promise<boolean> {
  return hasGuard(parseRoutes(await run('ip', ['-json', '-4', 'route', 'show'])), cidr);
}
