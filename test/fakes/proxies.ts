/** HAProxy in memory, one per host and layout: servers take traffic when they are ready and their check passes. */
import { createHash } from 'node:crypto';
import type { Layout } from '../../controller/balancer/layout.ts';
import type { CheckedBackend, ProxyServer } from '../../controller/balancer/model.ts';
import {
  type FileFacts,
  parseFile,
  type RunningServer,
  type Stranger,
  type Traffic,
} from '../../controller/balancer/parse.ts';
import type {
  FileChange,
  FileOutcome,
  Observation,
  Proxies,
  Proxy,
  ProxyProcess,
  ServerName,
} from '../../controller/balancer/port.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Host } from '../../controller/shell/port.ts';

export class FakeProxies implements Proxies {
  readonly #proxies = new Map<string, FakeProxy>();

  of(host: Host, layout: Layout): FakeProxy {
    return this.at(host.address, layout.unit);
  }

  /** The HAProxy at an address, for a test to look at and to trouble. */
  at(address: string, unit = 'haproxy'): FakeProxy {
    const id = `${address} ${unit}`;
    const known = this.#proxies.get(id) ?? new FakeProxy();
    this.#proxies.set(id, known);
    return known;
  }
}

export class FakeProxy implements Proxy {
  /** What lies on the disk; a test may edit it. */
  text: string | undefined = '# as the package brings it\n';
  /** What the next `write` answers instead of applying. */
  refusal: Exclude<FileOutcome, { result: 'applied' | 'drifted' }> | undefined;
  /** Every call fails so. */
  failure: AppError | undefined;
  /** `address:port` whose check fails. */
  readonly sick = new Set<string>();
  /** Sessions that servers still have, by `backend/server`. */
  readonly sessions = new Map<string, number>();
  /** What servers answered it, by `backend/server`. */
  readonly answered = new Map<string, { readonly requests: number; readonly failures: number }>();
  /** What its worker has answered. */
  traffic: Traffic = { requests: 0, failures: 0 };
  /** Who else listens on its ports. */
  strangers: readonly Stranger[] = [];
  clients = 0;
  reloads = 0;
  /** Workers that reloads left behind, and that nobody has ended. */
  oldWorkers = 0;
  writes = 0;
  /** How many writes were refused. */
  refused = 0;
  /** Old files that were kept. */
  readonly aside: string[] = [];
  #base: string | undefined;
  #flag = false;
  #servers = new Map<string, RunningServer>();

  /** `backend/server` of those that get requests. */
  get taking(): string[] {
    return [...this.#servers].filter(([, { admin, up }]) => admin === 'ready' && up).map(([id]) => id);
  }

  /** The process ends and starts again from the file: its servers take traffic at once. */
  restart(): void {
    this.#start(new Map());
  }

  async observe(): Promise<Observation> {
    this.#assertReachable();
    this.#check();
    const text = this.text ?? '';
    const { strangers } = this;
    const facts = { fileDigest: digest(this.text), file: parseFile(text), maintenance: this.#flag };
    return { ...facts, strangers, running: this.#process() };
  }

  async write(change: FileChange): Promise<FileOutcome> {
    this.#assertReachable();
    if (digest(this.text) !== change.expected) return { result: 'drifted' };
    if (isStale(parseFile(change.config.text), parseFile(this.text ?? ''))) {
      return { result: 'stale', message: 'the file follows a later number already' };
    }
    if (this.refusal !== undefined) {
      this.refused += 1;
      return this.refusal;
    }
    if (change.setAside && this.text !== undefined) this.aside.push(this.text);
    this.text = change.config.text;
    this.writes += 1;
    if (change.reload) {
      this.reloads += 1;
      this.oldWorkers += 1;
      this.#start(this.#servers);
    }
    return { result: 'applied', reloadMilliseconds: change.reload ? 50 : 0 };
  }

  async add(backend: CheckedBackend, server: ProxyServer): Promise<void> {
    this.#assertReachable();
    const id = `${backend.name}/${server.name}`;
    if (this.#servers.has(id)) throw new AppError('proxy.refused', `there is a server ${id} already`);
    const { name, address, port, weight, maxConnections } = server;
    const rest = { weight, limit: maxConnections, admin: 'drain', up: false } as const;
    this.#servers.set(id, { backend: backend.name, name, address, port, ...rest });
  }

  async revive(backend: string, server: string): Promise<void> {
    this.#change(backend, server, { admin: 'drain', up: false });
  }

  async admit(backend: string, server: string): Promise<void> {
    this.#change(backend, server, { admin: 'ready' });
  }

  async admitWhenUp(servers: readonly ServerName[]): Promise<void> {
    this.#assertReachable();
    this.#check();
    for (const { backend, server } of servers) {
      if (this.#servers.get(`${backend}/${server}`)?.up === true) await this.admit(backend, server);
    }
  }

  async drain(backend: string, server: string): Promise<void> {
    this.#change(backend, server, { admin: 'drain' });
  }

  async retire(backend: string, server: string): Promise<void> {
    this.#change(backend, server, { admin: 'maint', up: false });
  }

  async weigh(backend: string, server: string, weight: number): Promise<void> {
    this.#change(backend, server, { weight });
  }

  async limit(backend: string, server: string, limit: number): Promise<void> {
    this.#change(backend, server, { limit });
  }

  async setMaintenance(on: boolean): Promise<void> {
    this.#assertReachable();
    this.#flag = on;
  }

  async endOldWorkers(): Promise<number> {
    this.#assertReachable();
    const ended = this.oldWorkers;
    this.oldWorkers = 0;
    return ended;
  }

  #assertReachable(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  #change(backend: string, server: string, change: Partial<RunningServer>): void {
    this.#assertReachable();
    const id = `${backend}/${server}`;
    const now = this.#servers.get(id);
    if (now === undefined) throw new AppError('proxy.refused', `no such server: ${id}`);
    this.#servers.set(id, { ...now, ...change });
  }

  #process(): ProxyProcess {
    const servers = [...this.#servers.values()];
    return {
      version: '3.0.11',
      pid: this.reloads + 1,
      uptimeSeconds: 1,
      ...(this.#base === undefined ? {} : { base: this.#base }),
      maintenance: this.#flag,
      servers,
      loads: servers.map(({ backend, name, up }) => {
        const current = this.sessions.get(`${backend}/${name}`) ?? 0;
        const { requests, failures } = this.answered.get(`${backend}/${name}`) ?? {
          requests: 0,
          failures: 0,
        };
        return { backend, name, current, queued: 0, check: up ? 'L7OK' : 'L4CON', requests, failures };
      }),
      clients: this.clients,
      traffic: this.traffic,
    };
  }

  /** One round of health checks. */
  #check(): void {
    for (const [id, server] of this.#servers) {
      const up = server.admin !== 'maint' && !this.sick.has(`${server.address}:${server.port}`);
      this.#servers.set(id, { ...server, up });
    }
  }

  /** As HAProxy reads the file; health that was learned before stays. */
  #start(before: ReadonlyMap<string, RunningServer>): void {
    const { base, servers } = parseFile(this.text ?? '');
    const entries = [...servers].map(([id, line]): [string, RunningServer] => {
      const [, name = '', target = '', , weight = ''] = line.split(' ');
      const limit = / maxconn (\d+)/.exec(line)?.[1] ?? '0';
      const [address = '', port = ''] = target.split(':');
      const backend = id.slice(0, id.indexOf('/'));
      const up = before.get(id)?.up ?? true;
      const numbers = { port: Number(port), weight: Number(weight), limit: Number(limit) };
      return [id, { backend, name, address, ...numbers, admin: 'ready', up }];
    });
    this.#base = base;
    this.#servers = new Map(entries);
  }
}

function isStale({ term }: FileFacts, { term: before }: FileFacts): boolean {
  return term !== undefined && before !== undefined && term.of === before.of && term.number < before.number;
}

function digest(text: string | undefined): string {
  return text === undefined ? '' : createHash('sha256').update(text).digest('hex');
}
