/** An HTTP API server for one resource, on loopback, that misbehaves on request: for tests of REST and reflectors. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { AnyObject } from '../../controller/api/meta.ts';

export type RequestType = 'list' | 'watch' | 'other';

export interface Seen {
  readonly type: RequestType;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly at: number;
}

/** Takes over one request; it may answer, break off, or call `proceed` for the usual answer. */
export type Fault = (context: {
  readonly seen: Seen;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly proceed: () => void;
}) => void;

interface LogEntry {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: AnyObject;
}

export class ApiServer {
  readonly requests: Seen[] = [];
  /** Each is used once, for the next request of its type. */
  readonly faults: { readonly type: RequestType; readonly fault: Fault }[] = [];
  /** How a watch writes its bytes. */
  writeChunk: (response: ServerResponse, text: string) => void = (response, text) => response.write(text);
  readonly #objects = new Map<string, AnyObject>();
  readonly #log: LogEntry[] = [];
  readonly #watchers = new Set<(entry: LogEntry) => void>();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #version = 100;
  #compacted = 0;
  #uids = 0;

  /** Starts, or starts again on the same port. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#receive(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends as a crash does; the objects stay. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#watchers.clear();
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, 'close');
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  get openWatches(): number {
    return this.#watchers.size;
  }

  count(type: RequestType): number {
    return this.requests.filter((request) => request.type === type).length;
  }

  kubeConfig(): KubeConfig {
    const config = new KubeConfig();
    const server = { name: 'test', server: `http://127.0.0.1:${this.#port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(server, { name: 'test', token: 'token-1' });
    return config;
  }

  /** Creates or replaces; the same uid unless `recreate`. */
  set(name: string, data: Readonly<Record<string, string>> = {}, recreate = false): AnyObject {
    const before = recreate ? undefined : this.#objects.get(name);
    if (recreate && this.#objects.has(name)) this.remove(name);
    this.#version += 1;
    if (before === undefined) this.#uids += 1;
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: 'default',
        uid: before?.metadata.uid ?? `uid-${this.#uids}`,
        resourceVersion: String(this.#version),
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      data,
    };
    this.#objects.set(name, object);
    this.#append({ version: this.#version, type: before === undefined ? 'ADDED' : 'MODIFIED', object });
    return object;
  }

  remove(name: string): void {
    const before = this.#objects.get(name);
    if (before === undefined) return;
    this.#version += 1;
    this.#objects.delete(name);
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } };
    this.#append({ version: this.#version, type: 'DELETED', object });
  }

  /** Forgets history: versions from before now are too old to watch from. */
  compact(): void {
    this.#compacted = this.#version;
  }

  /** name -> uid and version, to compare with what a client believes. */
  truth(): Readonly<Record<string, string>> {
    return describe([...this.#objects.values()]);
  }

  failNext(type: RequestType, fault: Fault): void {
    this.faults.push({ type, fault });
  }

  #append(entry: LogEntry): void {
    this.#log.push(entry);
    for (const watcher of this.#watchers) watcher(entry);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://server');
    const { method = 'GET', headers } = request;
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const isCollection = method === 'GET' && url.pathname.endsWith('configmaps');
    const type = !isCollection ? 'other' : url.searchParams.has('watch') ? 'watch' : 'list';
    const seen = {
      type,
      method,
      path: url.pathname,
      query: url.searchParams,
      headers,
      body,
      at: performance.now(),
    } as const;
    this.requests.push(seen);
    const proceed = () => this.#answer(seen, response);
    const index = this.faults.findIndex((fault) => fault.type === type);
    const [planned] = index < 0 ? [] : this.faults.splice(index, 1);
    if (planned === undefined) proceed();
    else planned.fault({ seen, response, socket: request.socket, proceed });
  }

  #answer(seen: Seen, response: ServerResponse): void {
    if (seen.type === 'list') this.#answerList(seen.query, response);
    else if (seen.type === 'watch') this.#answerWatch(seen.query, response);
    else refuse(response, 404, 'NotFound');
  }

  #answerList(query: URLSearchParams, response: ServerResponse): void {
    const all = [...this.#objects.values()];
    const from = Number(query.get('continue') ?? 0);
    const to = from + Number(query.get('limit') ?? all.length);
    const metadata = {
      resourceVersion: String(this.#version),
      ...(to < all.length && { continue: String(to) }),
    };
    response.end(
      JSON.stringify({ kind: 'ConfigMapList', apiVersion: 'v1', metadata, items: all.slice(from, to) }),
    );
  }

  #answerWatch(query: URLSearchParams, response: ServerResponse): void {
    const since = Number(query.get('resourceVersion'));
    if (since < this.#compacted) {
      refuse(response, 410, 'Expired');
      return;
    }
    const send = ({ type, object }: LogEntry) =>
      this.writeChunk(response, `${JSON.stringify({ type, object })}\n`);
    response.flushHeaders();
    for (const entry of this.#log) if (entry.version > since) send(entry);
    this.#watchers.add(send);
    response.on('close', () => this.#watchers.delete(send));
  }
}

/** Answers with a Status. */
export function refuse(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason }),
  );
}

/** name -> uid and version. */
export function describe(objects: readonly AnyObject[]): Readonly<Record<string, string>> {
  const entries = objects.map(
    ({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`] as const,
  );
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
