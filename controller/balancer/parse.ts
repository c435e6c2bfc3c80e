/** What HAProxy says about itself, as data: `show info`, `show stat`, `show servers state`, `show proc`, and our own file. Pure. */

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
}

/** The load of one server in one process, from `show stat`. */
export interface ServerLoad {
  readonly backend: string;
  readonly name: string;
  /** Connections now, and waiting ones. */
  readonly current: number;
  readonly queued: number;
  readonly limit: number;
  /** HAProxy's word: UP, DOWN, MAINT, DRAIN, no check. */
  readonly status: string;
  /** Such as L7OK, L4CON, L7STS; empty before the first check. */
  readonly check: string;
}

const forcedMaintenance = 0x01;
const inheritedMaintenance = 0x02;
const forcedDrain = 0x08;
const inheritedDrain = 0x10;

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

/** `show servers state`, format 1: a version line, a header line, one line per server. */
export function parseServersState(text: string): RunningServer[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const columns = (lines[1] ?? '').replace(/^# /, '').trim().split(/\s+/);
  return lines.slice(2).map((line) => {
    const values = line.trim().split(/\s+/);
    const field = (name: string) => values[columns.indexOf(name)] ?? '';
    const flags = Number(field('srv_admin_state'));
    return {
      backend: field('be_name'),
      name: field('srv_name'),
      address: field('srv_addr'),
      port: Number(field('srv_port')),
      admin: adminState(flags),
      up: Number(field('srv_op_state')) === 2,
      weight: Number(field('srv_uweight')),
    };
  });
}

function adminState(flags: number): AdminState {
  if ((flags & (forcedMaintenance | inheritedMaintenance)) !== 0) return 'maint';
  return (flags & (forcedDrain | inheritedDrain)) === 0 ? 'ready' : 'drain';
}

/** The server rows of `show stat`; columns are found by name, since their order grows with versions. */
export function parseStat(text: string): ServerLoad[] {
  const [header = '', ...rows] = text.split('\n').filter((line) => line.trim() !== '');
  const columns = header.replace(/^# /, '').split(',');
  return rows
    .map((row) => {
      const values = row.split(',');
      return (name: string) => values[columns.indexOf(name)] ?? '';
    })
    .filter((field) => field('type') === '2')
    .map((field) => ({
      backend: field('pxname'),
      name: field('svname'),
      current: Number(field('scur')),
      queued: Number(field('qcur')),
      limit: Number(field('slim')),
      status: field('status'),
      check: field('check_status').replace(/^\* /, ''),
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

/** What a configuration file of ours says: its base, and the names of its enabled servers by backend. */
export interface FileFacts {
  /** Absent when the file is not ours. */
  readonly base?: string;
  /** `backend/server` of every line between our markers, each with the whole line. */
  readonly servers: ReadonlyMap<string, string>;
}

export function parseFile(text: string): FileFacts {
  const base = /^# rl: base=([0-9a-f]+) /m.exec(text)?.[1];
  const servers = new Map<string, string>();
  let backend: string | undefined;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line.startsWith('# >>> rl servers ')) backend = line.slice('# >>> rl servers '.length);
    else if (line.startsWith('# <<< rl servers ')) backend = undefined;
    else if (backend !== undefined && line.startsWith('server ')) {
      servers.set(`${backend}/${line.split(' ')[1] ?? ''}`, line);
    }
  }
  return { ...(base === undefined ? {} : { base }), servers };
}
