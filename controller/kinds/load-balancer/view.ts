/** What the front ends' reports amount to: who serves, who is up, who is drained, how busy they are. Pure. */

import { arrayOf, type Server } from '../../api/server.ts';
import type { Report } from '../../balancer/fleet.ts';
import type { ProxyProcess } from '../../balancer/port.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { LoadReport } from '../../load-reports/load-reports.ts';
import { leaversOf, membersOf } from './members.ts';
import { machineOf, processName } from './model.ts';
import type { Frontend, Observed } from './observed.ts';

/** A front end with what is known of it. */
export interface SeenFrontend extends Frontend {
  readonly report: Report;
  /** It runs a configuration of ours and has somebody to send requests to. */
  readonly serves: boolean;
  /** It runs the wanted structure. */
  readonly isCurrent: boolean;
  /** Its process, while it answers. */
  readonly running: ProxyProcess | undefined;
}

/** All front ends' reports together. */
export interface View {
  readonly frontends: readonly SeenFrontend[];
  /** Members that every front end that answers sends requests to, and the others. */
  readonly up: readonly Server[];
  readonly down: readonly Server[];
  /** Marked to leave, without requests and sessions. */
  readonly drained: readonly Server[];
  /** By uid of the server. */
  readonly loads: ReadonlyMap<string, LoadReport>;
  /** Undefined without a front end. */
  readonly hash: string | undefined;
}

/** A front end that is silent for this long is taken out of DNS; a lost connection comes back sooner. */
export const silenceLimit: Millis = 6_000;

/** A server is up when every HAProxy that answers says so. */
export function viewOf(observed: Observed, reports: ReadonlyMap<string, Report>): View {
  const { balancer, materials, now, hash } = observed;
  const frontends = observed.frontends.flatMap((frontend): SeenFrontend[] => {
    const report = reports.get(frontendId(observed, frontend));
    return report === undefined ? [] : [seeFrontend(frontend, { report, hash, now })];
  });
  const processes = frontends.flatMap(({ running }) => running ?? []);
  const members = uniqueMembers(observed);
  const isUp = (server: Server) => {
    const names = processNames(observed, server);
    const isUpIn = (process: ProxyProcess) =>
      process.base === hash
        ? names.every((name) => hasServer(process, name))
        : process.servers.some((one) => isProcessOf(server, one) && one.admin === 'ready' && one.up);
    return processes.length > 0 && processes.every(isUpIn);
  };
  const leavers = leaversOf(balancer, materials.servers);
  return {
    frontends,
    hash,
    up: members.filter(isUp),
    down: members.filter((server) => !isUp(server)),
    drained: leavers.filter((server) => isDrained(observed, frontends, server)),
    loads: loadsOf(observed, processes),
  };
}

/** In whatever backend: a front end that does not run the wanted structure yet may call it otherwise. */
function isProcessOf({ status }: Server, { name }: { readonly name: string }): boolean {
  return status?.instanceID !== undefined && machineOf(name) === status.instanceID;
}

/** The id of its order and of its report; lasts as long as balancer and Server. */
export function frontendId({ balancer }: Observed, { server }: Frontend): string {
  return `${balancer.metadata.uid} ${server.metadata.uid}`;
}

interface Sight {
  readonly report: Report;
  readonly hash: string | undefined;
  readonly now: Instant;
}

function seeFrontend(frontend: Frontend, { report, hash, now }: Sight): SeenFrontend {
  const last = report.observation?.running;
  const { silentSince } = report;
  const isGone = silentSince !== undefined && now - silentSince >= silenceLimit;
  const running = silentSince === undefined ? last : undefined;
  return {
    ...frontend,
    report,
    running,
    serves: !isGone && last?.base !== undefined && hasWork(last),
    isCurrent: running?.base !== undefined && running.base === hash,
  };
}

/** Somebody to send requests to, or a page to show instead. */
function hasWork({ maintenance, servers }: ProxyProcess): boolean {
  return maintenance || servers.some(({ admin, up }) => admin === 'ready' && up);
}

function uniqueMembers({ balancer, materials }: Observed): readonly Server[] {
  const arrays = balancer.spec.backends.flatMap(({ members }) => members.map(({ array }) => array));
  return [...new Set(arrays)].flatMap((array) => membersOf(balancer, array, materials.servers));
}

/** Names, in HAProxy, of all processes of a server: `backend/server`. */
function processNames({ balancer }: Observed, server: Server): readonly string[] {
  const array = arrayOf(server);
  return balancer.spec.backends.flatMap(({ name, members }) =>
    members
      .filter((member) => member.array === array)
      .map(({ port }) => `${name}/${processName(server, port)}`),
  );
}

function hasServer({ servers }: ProxyProcess, id: string): boolean {
  return servers.some(
    ({ backend, name, admin, up }) => `${backend}/${name}` === id && admin === 'ready' && up,
  );
}

/** As a member it has no requests left anywhere; as a front end nobody finds it in DNS and no client is left. */
function isDrained(observed: Observed, frontends: readonly SeenFrontend[], server: Server): boolean {
  const isLetGo = frontends.every(({ running, server: { metadata } }) =>
    // A silent front end keeps nobody waiting once no client is sent to it.
    running === undefined ? !isPublished(observed, metadata.name) : hasLetGo(running, server),
  );
  const own = frontends.find((frontend) => frontend.server.metadata.uid === server.metadata.uid);
  return isLetGo && (own === undefined || hasLeft(observed, own));
}

/** No new requests for its processes, and none under way. */
function hasLetGo({ servers, loads }: ProxyProcess, server: Server): boolean {
  const takesSome = servers.some((one) => isProcessOf(server, one) && one.admin === 'ready');
  const isBusy = loads.some((load) => isProcessOf(server, load) && load.current + load.queued > 0);
  return !takesSome && !isBusy;
}

function hasLeft({ balancer, now }: Observed, { server, running }: SeenFrontend): boolean {
  const known = balancer.status?.frontends?.find((one) => one.server === server.metadata.name);
  if (known?.inService === true) return false;
  const ttl = (balancer.spec.dns?.ttlSeconds ?? 0) * 1000;
  const withdrawn = known?.withdrawnTime === undefined ? 0 : Date.parse(known.withdrawnTime);
  return now - withdrawn >= ttl && (running?.clients ?? 0) === 0;
}

function isPublished({ balancer }: Observed, frontend: string): boolean {
  return balancer.status?.frontends?.some((one) => one.server === frontend && one.inService) === true;
}

function loadsOf(observed: Observed, processes: readonly ProxyProcess[]): ReadonlyMap<string, LoadReport> {
  const { now } = observed;
  if (processes.length === 0) return new Map();
  return new Map(
    uniqueMembers(observed).map((server) => {
      const loads = processes.flatMap((process) => process.loads).filter((load) => isProcessOf(server, load));
      const sum = (of: (load: (typeof loads)[number]) => number) =>
        loads.reduce((all, one) => all + of(one), 0);
      return [
        server.metadata.uid,
        { at: now, sessions: sum(({ current }) => current), queued: sum(({ queued }) => queued) },
      ];
    }),
  );
}
