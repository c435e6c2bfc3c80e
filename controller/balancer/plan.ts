/**
 * What to do next so that one HAProxy follows its model: desired, file and running process in, steps out. Pure.
 *
 * The file is the truth and holds only servers that this HAProxy's own check has passed; runtime commands make a
 * change immediate. A server joins at runtime first (gated by its check) and then in the file; it leaves the file
 * first and then drains. So a restart at any instant never sends traffic to a server that should not have it.
 */
import type { Backend, ProxyModel, ProxyServer } from './model.ts';
import { type FileFacts, parseFile, type RunningServer } from './parse.ts';
import { renderConfig, type RenderedConfig } from './render.ts';

export type Step =
  /** Replace the file; reload when the structure changed or too many removed servers have piled up. */
  | { readonly do: 'write'; readonly config: RenderedConfig; readonly reload: boolean }
  /** Add to the running process, checked but without traffic. */
  | { readonly do: 'add'; readonly backend: Backend; readonly server: ProxyServer }
  /** Bring a removed server that is still in the process back, checked but without traffic. */
  | { readonly do: 'revive'; readonly backend: string; readonly server: string }
  /** Its check passed: let traffic in. */
  | { readonly do: 'admit'; readonly backend: string; readonly server: string }
  /** No new connections; those under way go on. */
  | { readonly do: 'drain'; readonly backend: string; readonly server: string }
  | { readonly do: 'weigh'; readonly backend: string; readonly server: string; readonly weight: number };

export interface Situation {
  readonly model: ProxyModel;
  readonly file: FileFacts;
  /** Absent when HAProxy does not run. */
  readonly running?: {
    readonly base?: string;
    readonly servers: readonly RunningServer[];
  };
}

/** Removed servers stay in the process as `maint` until a reload sweeps them; `del server` crashed HAProxy 2.6. */
const ghostLimit = 32;

/** Steps for this pass, in order. Empty = in step, or waiting for checks (`joining`) or for sessions to end (`leaving`). */
export function planChanges(situation: Situation): readonly Step[] {
  const runtime = situation.running === undefined ? [] : runtimeSteps(situation);
  const write = fileStep(situation);
  const isStructural = write?.reload === true;
  // A structural change comes first: a backend must exist before servers can be added to it.
  if (isStructural) return [write];
  const joins = runtime.filter((step) => step.do !== 'drain');
  const drains = runtime.filter((step) => step.do === 'drain');
  return [...joins, ...(write === undefined ? [] : [write]), ...drains];
}

/** Servers that are wanted but whose check has not passed yet. */
export function joining(situation: Situation): readonly RunningServer[] {
  const wanted = wantedServers(situation.model);
  return (situation.running?.servers ?? []).filter(
    (server) => wanted.has(idOf(server)) && server.admin === 'drain' && !server.up,
  );
}

/** Servers that are no longer wanted and still finish their sessions. */
export function leaving(situation: Situation): readonly RunningServer[] {
  const wanted = wantedServers(situation.model);
  return (situation.running?.servers ?? []).filter(
    (server) => !wanted.has(idOf(server)) && server.admin === 'drain',
  );
}

interface Wanted {
  readonly backend: Backend;
  readonly server: ProxyServer;
}

function wantedServers(model: ProxyModel): ReadonlyMap<string, Wanted> {
  const entries = model.backends.flatMap((backend) =>
    backend.servers.map((server): [string, Wanted] => [
      `${backend.name}/${server.name}`,
      { backend, server },
    ]),
  );
  return new Map(entries);
}

function fileStep(situation: Situation): Extract<Step, { do: 'write' }> | undefined {
  const { model, file, running } = situation;
  const admitted = new Set(
    (running?.servers ?? []).filter((server) => server.admin === 'ready' || isPassing(server)).map(idOf),
  );
  const config = renderConfig({
    ...model,
    backends: model.backends.map((backend) => ({
      ...backend,
      servers: backend.servers.filter((server) => {
        const id = `${backend.name}/${server.name}`;
        return file.servers.has(id) || admitted.has(id);
      }),
    })),
  });
  const isSame = file.base === config.base && hasSameServers(file, parseFile(config.text));
  const isStructural = running !== undefined && running.base !== config.base;
  const hasGhosts = (running?.servers ?? []).filter((server) => server.admin === 'maint').length > ghostLimit;
  if (isSame && !isStructural && !hasGhosts) return undefined;
  return { do: 'write', config, reload: isStructural || hasGhosts };
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
  }
  for (const [id, server] of present) {
    if (!wanted.has(id) && server.admin === 'ready') {
      steps.push({ do: 'drain', backend: server.backend, server: server.name });
    }
  }
  return steps;
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
