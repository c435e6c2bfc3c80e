/**
 * What to do next so that one HAProxy follows its model: desired, file and running process in, steps out. Pure.
 *
 * The file is the truth and holds only servers that this HAProxy's own check has passed; runtime commands make a
 * change immediate. A server joins at runtime first (gated by its check) and then in the file; it leaves the file
 * first and then drains. So a restart at any instant never sends traffic to a server that should not have it.
 * Servers of a backend without a check are part of the structure: they change with the file and a reload.
 */
import type { Backend, CheckedBackend, ProxyModel, ProxyServer } from './model.ts';
import { type FileFacts, parseFile, type RunningServer, type ServerLoad } from './parse.ts';
import type { Observation, ProxyProcess } from './port.ts';
import { type RenderedConfig, renderConfig } from './render.ts';

export type Step =
  /** Replace the file; reload when the structure changed or too many removed servers have piled up. */
  | { readonly do: 'write'; readonly config: RenderedConfig; readonly reload: boolean }
  /** Add to the running process, checked but without traffic. */
  | { readonly do: 'add'; readonly backend: CheckedBackend; readonly server: ProxyServer }
  /** Bring a removed server that is still in the process back, checked but without traffic. */
  | { readonly do: 'revive'; readonly backend: string; readonly server: string }
  /** Its check passed: let traffic in. */
  | { readonly do: 'admit'; readonly backend: string; readonly server: string }
  /** No new connections; those under way go on. */
  | { readonly do: 'drain'; readonly backend: string; readonly server: string }
  /** Take a drained server without sessions out for good; it stays in the process until the next reload. */
  | { readonly do: 'retire'; readonly backend: string; readonly server: string }
  | { readonly do: 'weigh'; readonly backend: string; readonly server: string; readonly weight: number }
  | { readonly do: 'limit'; readonly backend: string; readonly server: string; readonly limit: number }
  /** Show or hide the maintenance page, in the file and in the process. */
  | { readonly do: 'maintain'; readonly on: boolean };

/** What a plan is made from: what is wanted, and what was seen a moment ago. */
export interface Situation extends Pick<Observation, 'file' | 'maintenance'> {
  readonly model: ProxyModel;
  /** Absent when HAProxy does not run. */
  readonly running?: Pick<ProxyProcess, 'base' | 'maintenance' | 'servers' | 'loads'>;
}

/** Removed servers stay in the process as `maint` until a reload sweeps them; `del server` crashed HAProxy 2.6. */
const ghostLimit = 32;

/** Steps for this pass, in order. Empty = in step, or waiting (`awaitedIn`). */
export function planChanges(situation: Situation): readonly Step[] {
  const runtime = situation.running === undefined ? [] : runtimeSteps(situation);
  const write = fileStep(situation);
  const isStructural = write?.reload === true;
  // A structural change comes first: a backend must exist before servers can be added to it.
  if (isStructural) return [write];
  const leaves = new Set<Step['do']>(['drain', 'retire']);
  const joins = runtime.filter((step) => !leaves.has(step.do));
  const departures = runtime.filter((step) => leaves.has(step.do));
  return [...flagStep(situation), ...joins, ...(write === undefined ? [] : [write]), ...departures];
}

/**
 * Steps while the file cannot be replaced: servers still join and leave the running process, so that nobody's wish to
 * go waits for somebody else's mistake. Backends of which the model knows nothing go on serving: only those who leave
 * for good leave them.
 */
export function planAround(situation: Situation): readonly Step[] {
  const { model } = situation;
  const present = situation.running?.servers ?? [];
  const wantedBackends = new Set(model.backends.map(({ name }) => name));
  const wantedAddresses = new Set(
    model.backends.flatMap(({ servers }) => servers.map(({ address }) => address)),
  );
  const staying = present.filter(
    ({ backend, address }) => !wantedBackends.has(backend) && wantedAddresses.has(address),
  );
  const running = situation.running && {
    ...situation.running,
    servers: present.filter((server) => !staying.includes(server)),
  };
  const around = { ...situation, ...(running === undefined ? {} : { running }) };
  const known = new Set(present.map(({ backend }) => backend));
  const steps = running === undefined ? [] : runtimeSteps(around);
  return [
    ...flagStep(situation),
    ...steps.filter((step) => step.do !== 'add' || known.has(step.backend.name)),
  ];
}

function flagStep({ model, maintenance, running }: Situation): Step[] {
  const isSet = maintenance === model.maintenance && (running?.maintenance ?? maintenance) === maintenance;
  return isSet ? [] : [{ do: 'maintain', on: model.maintenance }];
}

/** Servers, as `backend/name`, of which something is expected that comes by itself. */
export interface Awaited {
  /** Wanted; requests are kept from them until their check passes. */
  readonly checks: readonly string[];
  /** Not wanted any more; they have sessions. */
  readonly ends: readonly string[];
}

/** What the plan waits for: servers whose check has to pass, and sessions that have to end. */
export function awaitedIn({ model, running }: Situation): Awaited {
  const wanted = wantedServers(model);
  const drained = (running?.servers ?? []).filter(({ admin }) => admin === 'drain');
  return {
    checks: drained.filter((server) => wanted.has(idOf(server)) && !server.up).map(idOf),
    ends: drained.map(idOf).filter((id) => !wanted.has(id)),
  };
}

interface Wanted {
  readonly backend: CheckedBackend;
  readonly server: ProxyServer;
}

function wantedServers(model: ProxyModel): ReadonlyMap<string, Wanted> {
  const entries = model.backends
    .filter(isChecked)
    .flatMap((backend) =>
      backend.servers.map((server): [string, Wanted] => [
        `${backend.name}/${server.name}`,
        { backend, server },
      ]),
    );
  return new Map(entries);
}

function fileStep({ model, file, running }: Situation): Extract<Step, { do: 'write' }> | undefined {
  const present = running?.servers ?? [];
  const config = nextFile(model, file, running);
  const isSame = isFileOf(config, file) && !hasNewTerm(model, file);
  // Somebody who edited the file may have reloaded it too. A process that is gone is started by the same step.
  const isStructural = running?.base !== config.base || file.isEdited || isDiverted(model, present);
  const hasGhosts = present.filter((server) => server.admin === 'maint').length > ghostLimit;
  if (isSame && !isStructural && !hasGhosts) return undefined;
  return { do: 'write', config, reload: isStructural || hasGhosts };
}

function nextFile(model: ProxyModel, file: FileFacts, running: Situation['running']): RenderedConfig {
  const present = running?.servers ?? [];
  const checked = renderConfig(fileModel(model, { file, present, assumed: none }));
  if (running === undefined || running.base === checked.base) return checked;
  return renderConfig(fileModel(model, { file, present, assumed: servingServers(model, present) }));
}

const none: ReadonlySet<string> = new Set();

/** Names of processes that a check found up and that get requests now. */
function servingServers(model: ProxyModel, present: readonly RunningServer[]): ReadonlySet<string> {
  const unchecked = new Set(model.backends.filter((backend) => !isChecked(backend)).map(({ name }) => name));
  const taking = present.filter(
    ({ backend, admin, up }) => !unchecked.has(backend) && admin === 'ready' && up,
  );
  return new Set(taking.map(({ name }) => name));
}

interface Known {
  readonly file: FileFacts;
  readonly present: readonly RunningServer[];
  /** Who may begin in a backend that is new here, which would else have nobody until the first checks have passed. */
  readonly assumed: ReadonlySet<string>;
}

/** The model with only those servers whose check has passed here: they are in the file already, or ready now. */
function fileModel(model: ProxyModel, { file, present, assumed }: Known): ProxyModel {
  const passed = new Set(present.filter((server) => server.admin === 'ready' || isPassing(server)).map(idOf));
  const known = new Set(present.map(({ backend }) => backend));
  const backends = model.backends.map((backend) => {
    if (!isChecked(backend)) return backend;
    const belongs = (name: string, id = `${backend.name}/${name}`) =>
      file.servers.has(id) || passed.has(id) || (!known.has(backend.name) && assumed.has(name));
    return { ...backend, servers: backend.servers.filter(({ name }) => belongs(name)) };
  });
  return { ...model, backends };
}

/** Somebody made the process send the connections of an unchecked backend elsewhere, or nowhere. */
function isDiverted(model: ProxyModel, present: readonly RunningServer[]): boolean {
  const entries = model.backends
    .filter((backend) => !isChecked(backend))
    .flatMap(({ name, servers }) =>
      servers.map((server): [string, ProxyServer] => [`${name}/${server.name}`, server]),
    );
  const fixed = new Map(entries);
  return present.some((now) => {
    const server = fixed.get(idOf(now));
    if (server === undefined) return false;
    return now.admin !== 'ready' || now.address !== server.address || now.port !== server.port;
  });
}

function isChecked(backend: Backend): backend is CheckedBackend {
  return backend.check !== undefined;
}

function runtimeSteps({ model, running }: Situation): Step[] {
  const wanted = wantedServers(model);
  const present = new Map((running?.servers ?? []).map((server) => [idOf(server), server]));
  const steps: Step[] = [];
  for (const [id, { backend, server }] of wanted) {
    const now = present.get(id);
    const name = { backend: backend.name, server: server.name };
    if (now === undefined) steps.push({ do: 'add', backend, server });
    else if (now.admin === 'maint') steps.push({ do: 'revive', ...name });
    else if (isPassing(now)) steps.push({ do: 'admit', ...name });
    if (now !== undefined && now.weight !== server.weight) {
      steps.push({ do: 'weigh', ...name, weight: server.weight });
    }
    if (now !== undefined && now.limit !== server.maxConnections) {
      steps.push({ do: 'limit', ...name, limit: server.maxConnections });
    }
  }
  const fixed = new Set(model.backends.filter((backend) => !isChecked(backend)).map(({ name }) => name));
  const unwanted = [...present.values()].filter(
    (server) => !wanted.has(idOf(server)) && !fixed.has(server.backend) && !isNeeded(server, wanted, present),
  );
  return [...steps, ...unwanted.flatMap((server) => planDeparture(server, running?.loads ?? []))];
}

/** Another port of its machine is wanted, and nothing that is wanted can take its place yet, or ever. */
function isNeeded(
  { backend, address, admin }: RunningServer,
  wanted: ReadonlyMap<string, Wanted>,
  present: ReadonlyMap<string, RunningServer>,
): boolean {
  const successors = [...wanted].filter(([, one]) => one.backend.name === backend);
  return (
    admin === 'ready' &&
    successors.some(([, { server }]) => server.address === address) &&
    !successors.some(([id]) => present.get(id)?.admin === 'ready' && present.get(id)?.up === true)
  );
}

function planDeparture({ backend, name, admin }: RunningServer, loads: readonly ServerLoad[]): Step[] {
  if (admin === 'ready') return [{ do: 'drain', backend, server: name }];
  const load = loads.find((one) => one.backend === backend && one.name === name);
  const isIdle = load !== undefined && load.current + load.queued === 0;
  return admin === 'drain' && isIdle ? [{ do: 'retire', backend, server: name }] : [];
}

function isFileOf({ base, text }: RenderedConfig, file: FileFacts): boolean {
  return file.base === base && hasSameServers(file, parseFile(text)) && !file.isEdited;
}

/** What the file follows has a later term, or it follows something else; that alone ends no session. */
export function hasNewTerm({ term }: ProxyModel, file: FileFacts): boolean {
  return term !== undefined && (term.of !== file.term?.of || term.number !== file.term.number);
}

function hasSameServers(a: FileFacts, b: FileFacts): boolean {
  return (
    a.servers.size === b.servers.size && [...a.servers].every(([id, line]) => b.servers.get(id) === line)
  );
}

function isPassing(server: RunningServer): boolean {
  return server.admin === 'drain' && server.up;
}

function idOf(server: RunningServer): string {
  return `${server.backend}/${server.name}`;
}
