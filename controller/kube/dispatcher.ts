/** Connections to the API server: one long-lived pool, rebuilt when certificates change; headers from the kubeconfig. */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import type { Clock, Millis } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { AppError, messageOf } from '../base/errors.ts';

/** What one request needs. */
export interface Connection {
  readonly server: string;
  readonly agent: Agent;
  /** Authorization, unless a client certificate speaks for us. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How stale credentials may be: kubelet rotates tokens long before they expire, so this is generous. */
const credentialsLifetime: Millis = 10_000;

const tlsNames = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'servername', 'rejectUnauthorized'] as const;

/** Connections are shared; credentials are read anew every 10 s and when the server refuses them. */
export class Dispatcher {
  readonly #load: () => KubeConfig;
  readonly #clock: Clock;
  #config: KubeConfig | undefined;
  #current: (Connection & { readonly tls: string; readonly until: Millis }) | undefined;
  #pending: Promise<Connection> | undefined;
  /** Every pool that may still carry streams, the current one included. */
  readonly #agents = new Set<Agent>();

  /** `load` is called again when the server refuses our credentials, so it should read the files anew. */
  constructor(load: () => KubeConfig, clock: Clock = systemClock) {
    this.#load = load;
    this.#clock = clock;
  }

  /** Fails with `kube.unavailable` when the kubeconfig or a file it names cannot be read. */
  connection(): Promise<Connection> {
    if (this.#current !== undefined && this.#clock.monotonic() < this.#current.until) {
      return Promise.resolve(this.#current);
    }
    this.#pending ??= this.#refresh().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Reads everything anew before the next request: the server did not accept our credentials. */
  distrust(): void {
    this.#config = undefined;
    if (this.#current !== undefined) this.#current = { ...this.#current, until: 0 };
  }

  /** Ends every connection, streams included. */
  async close(): Promise<void> {
    const agents = [...this.#agents];
    this.#agents.clear();
    this.#current = undefined;
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  async #refresh(): Promise<Connection> {
    const { server, options } = await this.#credentials();
    const tls = fingerprintOf(server, options);
    const agent = this.#current?.tls === tls ? this.#current.agent : this.#replaceAgent(options);
    const until = this.#clock.monotonic() + credentialsLifetime;
    this.#current = { server, agent, headers: headersOf(options), tls, until };
    return this.#current;
  }

  async #credentials(): Promise<{ readonly server: string; readonly options: RequestOptions }> {
    const options: RequestOptions = {};
    try {
      this.#config ??= this.#load();
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      throw new AppError('kube.unavailable', `reading the kubeconfig: ${messageOf(error)}`, { cause: error });
    }
    const server = this.#config.getCurrentCluster()?.server.replace(/\/$/, '');
    if (server === undefined) throw new AppError('kube.unavailable', 'the kubeconfig names no cluster');
    return { server, options };
  }

  #replaceAgent(options: RequestOptions): Agent {
    const old = this.#current?.agent;
    // Waits for its running requests and streams, which end within minutes.
    void old?.close().finally(() => this.#agents.delete(old));
    const agent = new Agent({
      // A stalled connection must not stall every other request, so no multiplexing.
      allowH2: false,
      keepAliveTimeout: 60_000,
      headersTimeout: 30_000,
      bodyTimeout: 0,
      connect: {
        ...pick(options, tlsNames),
        timeout: 10_000,
        keepAlive: true,
        keepAliveInitialDelay: 30_000,
      },
    });
    this.#agents.add(agent);
    return agent;
  }
}

function fingerprintOf(server: string, options: RequestOptions): string {
  const hash = createHash('sha256').update(server);
  for (const name of tlsNames) hash.update(`\0${name}=${JSON.stringify(options[name])}`);
  return hash.digest('hex');
}

function headersOf(options: RequestOptions): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  return headers;
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    names.flatMap((name) => (from[name] === undefined || from[name] === null ? [] : [[name, from[name]]])),
  ) as Partial<Pick<T, K>>;
}
