/** Reading `ip route`: which routes overlap the lab's network, and which of them are its own. Pure. */
import { z } from 'zod';

/** One line of `ip -json route show table all`, as far as it concerns us. */
const routeSchema = z.object({
  dst: z.string(),
  type: z.string().optional(),
  dev: z.string().optional(),
  metric: z.number().optional(),
});
export type Route = z.infer<typeof routeSchema>;

/** Parses the output of `ip -json -4 route show`. */
export function parseRoutes(json: string): Route[] {
  return z.array(routeSchema).parse(JSON.parse(json === '' ? '[]' : json));
}

/**
 * The first route that sends part of `cidr` to somebody else; the default route does not count, and neither do
 * routes of the lab itself.
 */
export function foreignRoute(routes: readonly Route[], cidr: string): Route | undefined {
  return routes.find((route) => route.dst !== 'default' && overlaps(route.dst, cidr) && !isOurs(route));
}

/** Whether the route that keeps the lab's packets on this machine is there. */
export function hasGuard(routes: readonly Route[], cidr: string): boolean {
  return routes.some((route) => route.dst === cidr && isGuard(route));
}

/** Larger than any metric in use, so that the live lab's own route wins over it. */
export const guardMetric = 4_000_000;
/** The machine's end of the cable into the lab. */
export const hostInterface = 'rlhost';

function isGuard(route: Route): boolean {
  return route.type === 'unreachable' && route.metric === guardMetric;
}

function isOurs(route: Route): boolean {
  return isGuard(route) || route.dev === hostInterface;
}

/** Whether two IPv4 blocks (or addresses) share an address. */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [parse(a), parse(b)];
  if (left === undefined || right === undefined) return false;
  const bits = Math.min(left.bits, right.bits);
  const shift = 2 ** (32 - bits);
  return Math.floor(left.address / shift) === Math.floor(right.address / shift);
}

function parse(block: string): { address: number; bits: number } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(block);
  if (!match) return undefined;
  const octets = match.slice(1, 5).map(Number);
  return { address: octets.reduce((sum, octet) => sum * 256 + octet, 0), bits: Number(match[5] ?? 32) };
}
