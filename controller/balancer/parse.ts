/** What HAProxy says about itself, as data: its `show` commands and our own file. Pure. */

import { digest } from '../base/digest.ts';
import type { Term } from './model.ts';

/** From `show info`. */
export interface ProcessInfo {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** The base hash of the file this process runs; absent when we did not write it. */
  readonly base?: string;
}

/** `ready` takes new connections, `drain` only finishes old ones, `maint` gets nothing and is not checked. */
export type AdminState = 'ready' | 'drain' | 'maint';

/** One server line of a running process. */
export interface RunningServer {
  readonly backend: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly admin: AdminState;
  /** The process's own check passes. */
  readonly up: boolean;
  readonly weight: number;
  /** Connections at a time; 0 = no limit. */
  readonly limit: number;
}

/** The load of one server in one process, from `show stat`. */
export interface ServerLoad {
  readonly backend: string;
  readonly name: string;
  /** Connections now, and waiting ones. */
  readonly current: number;
  readonly queued: number;
  /** Such as L7OK, L4CON, L7STS; empty before the first check. */
  readonly check: string;
  /** HTTP requests it was given since the process began; 0 for plain TCP. */
  readonly requests: number;
  /** Of these, answers with 5xx, and answers that broke off or never came. */
  readonly failures: number;
}

/** What one process has answered since it began. */
export interface Traffic {
  /** HTTP requests, and TCP connections. */
  readonly requests: number;
  /** Answers with 5xx, and TCP connections that reached no server. */
  readonly failures: number;
}

/** `show stat` of one process. */
interface Statistics {
  readonly servers: readonly ServerLoad[];
  /** Connections of clients, all front ends together. */
  readonly clients: number;
}

const forcedMaintenance = 0x01;
const inheritedMaintenance = 0x02;
const forcedDrain = 0x08;
const inheritedDrain = 0x10;

/** `show info`; numbers that are missing are NaN, `base` is absent when it is not our file. */
export function parseInfo(text: string): ProcessInfo {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const base = /^rl=([0-9a-f]+)$/.exec(fields.get('description') ?? '')?.[1];
  return {
    version: fields.get('Version') ?? '',
    pid: Number(fields.get('Pid') ?? Number.NaN),
    uptimeSeconds: Number(fields.get('Uptime_sec') ?? Number.NaN),
    ...(base === undefined ? {} : { base }),
  };
}

/** `show servers state`, format 1: a version line, a header line, one line per server; limits stand in `show stat`. */
export function parseServers(state: string, stat: string): RunningServer[] {
  const limits = new Map(
    statRows(stat, 'server').map((field) => [`${field('pxname')}/${field('svname')}`, Number(field('slim'))]),
  );
  const lines = state.split('\n').filter((line) => line.trim() !== '');
  const columns = (lines[1] ?? '').replace(/^# /, '').trim().split(/\s+/);
  return lines.slice(2).map((line) => {
    const values = line.trim().split(/\s+/);
    const field = (name: string) => values[columns.indexOf(name)] ?? '';
    const flags = Number(field('srv_admin_state'));
    const [backend, name] = [field('be_name'), field('srv_name')];
    return {
      backend,
      name,
      address: field('srv_addr'),
      port: Number(field('srv_port')),
      admin: adminState(flags),
      up: Number(field('srv_op_state')) === 2,
      weight: Number(field('srv_uweight')),
      limit: limits.get(`${backend}/${name}`) ?? 0,
    };
  });
}

function adminState(flags: number): AdminState {
  if ((flags & (forcedMaintenance | inheritedMaintenance)) !== 0) return 'maint';
  return (flags & (forcedDrain | inheritedDrain)) === 0 ? 'ready' : 'drain';
}

function parseStat(text: string): Statistics {
  const clients = statRows(text, 'frontend').map((field) => Number(field('scur')));
  return {
    clients: clients.reduce((sum, count) => sum + count, 0),
    servers: statRows(text, 'server').map((field) => ({
      backend: field('pxname'),
      name: field('svname'),
      current: Number(field('scur')),
      queued: Number(field('qcur')),
      check: field('check_status').replace(/^\* /, ''),
      // A broken answer is no request to HAProxy, but one to whoever asked.
      requests: Number(field('req_tot')) + brokenAnswers(field),
      failures: Number(field('hrsp_5xx')) + brokenAnswers(field),
    })),
  };
}

function brokenAnswers(field: (column: string) => string): number {
  return field('mode') === 'http' ? Number(field('eresp')) : 0;
}

/** One process from `show stat` of the current worker (first) and of those that reloads left behind. */
export function sumStatistics(texts: readonly string[]): Statistics {
  const all = texts.map(parseStat);
  const servers = new Map<string, ServerLoad>();
  for (const load of all.flatMap((one) => one.servers)) {
    const id = `${load.backend}/${load.name}`;
    const sum = servers.get(id);
    servers.set(id, sum === undefined ? load : addLoads(sum, load));
  }
  return { servers: [...servers.values()], clients: all.reduce((sum, one) => sum + one.clients, 0) };
}

function addLoads(sum: ServerLoad, load: ServerLoad): ServerLoad {
  return {
    ...sum,
    current: sum.current + load.current,
    queued: sum.queued + load.queued,
    requests: sum.requests + load.requests,
    failures: sum.failures + load.failures,
  };
}

/** From `show stat` of one process. */
export function parseTraffic(stat: string): Traffic {
  const sum = (type: keyof typeof rowTypes, mode: 'http' | 'tcp', column: string) =>
    statRows(stat, type)
      .filter((field) => field('mode') === mode)
      .reduce((all, field) => all + Number(field(column)), 0);
  return {
    requests: sum('frontend', 'http', 'req_tot') + sum('frontend', 'tcp', 'stot'),
    failures: sum('frontend', 'http', 'hrsp_5xx') + sum('backend', 'tcp', 'econ'),
  };
}

const rowTypes = { frontend: '0', backend: '1', server: '2' } as const;

/** Rows of `show stat` as look-ups by column name, since the columns' order grows with versions. */
function statRows(text: string, type: keyof typeof rowTypes): ((column: string) => string)[] {
  const [header = '', ...rows] = text.split('\n').filter((line) => line.trim() !== '');
  const columns = header.replace(/^# /, '').split(',');
  return rows
    .map((row) => {
      const values = row.split(',');
      return (name: string) => values[columns.indexOf(name)] ?? '';
    })
    .filter((field) => field('type') === rowTypes[type]);
}

/** The value of `maintenance` in our map, from `show map` (`0x… maintenance on`) or the file (`maintenance on`). */
export function parseMaintenance(text: string): boolean {
  return /(^|\s)maintenance on\s*$/m.test(text);
}

/** Somebody else who takes connections on a port of ours. */
export interface Stranger {
  readonly port: number;
  readonly pid: number;
  readonly program: string;
  /** systemd's unit or scope, with its ending. */
  readonly unit: string;
}

/** Lines of port, pid, unit and program. */
export function parseStrangers(text: string): Stranger[] {
  return text
    .split('\n')
    .map((line) => /^(\d+) (\d+) (\S*) (.+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, port, pid, unit = '', program = '']) => ({
      port: Number(port),
      pid: Number(pid),
      program,
      unit,
    }));
}

/** Pids of the workers that a reload left behind, from the master's `show proc`. */
export function parseOldWorkers(text: string): number[] {
  const old = text.split('# old workers')[1]?.split('\n# ')[0] ?? '';
  return old
    .split('\n')
    .map((line) => /^(\d+)\s+worker\b/.exec(line.trim())?.[1])
    .filter((pid) => pid !== undefined)
    .map(Number);
}

/** What the configuration file says. */
export interface FileFacts {
  /** Absent when the file is not ours. */
  readonly base?: string;
  /** Absent when it moves with nothing. */
  readonly term?: Term;
  /** It is ours, but somebody changed it since we wrote it. */
  readonly isEdited: boolean;
  /** `backend/server` of every line between our markers, each with the whole line. */
  readonly servers: ReadonlyMap<string, string>;
}

/** Our own file; without a seal it counts as not edited and has no `base`. */
export function parseFile(text: string): FileFacts {
  const seal = /^# rl: base=([0-9a-f]+) servers=\d+ body=([0-9a-f]+)\n/m.exec(text);
  const servers = new Map<string, string>();
  let backend: string | undefined;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line.startsWith('# >>> rl servers ')) backend = line.slice('# >>> rl servers '.length);
    else if (line.startsWith('# <<< rl servers ')) backend = undefined;
    else if (backend !== undefined && line.startsWith('server ')) {
      servers.set(`${backend}/${line.split(' ')[1] ?? ''}`, line);
    }
  }
  if (seal === null) return { isEdited: false, servers };
  const [whole, base = '', body] = seal;
  const isEdited = digest(text.slice(seal.index + whole.length)) !== body;
  const term = /^ *# rl term (\S+) (\d+)$/m.exec(text);
  return {
    base,
    isEdited,
    servers,
    ...(term === null ? {} : { term: { of: term[1] ?? '', number: Number(term[2]) } }),
  };
}
