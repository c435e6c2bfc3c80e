/** A proxy in front of a real API server that resets, stalls, cuts, throttles and expires what passes through it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { refuse } from '../../fakes/api-server.ts';

/** What may go wrong with a request, or with one that streams. */
export const faultNames = ['reset', 'stall', 'half-line', 'gone', 'throttled', 'unavailable'] as const;
export type FaultName = (typeof faultNames)[number];

export class ChaosProxy {
  /** How often each fault happened. */
  readonly happened = new Map<FaultName, number>();
  /** Requests that came in. */
  requests = 0;
  readonly #target: string;
  readonly #choose: () => FaultName | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  /** `target` is the API server's URL; `choose` picks the fault of the next list or watch. */
  constructor(target: string, choose: () => FaultName | undefined) {
    this.#target = target;
    this.#choose = choose;
    this.#server = createServer((request, response) => this.#receive(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Resolves with the proxy's own URL. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1;
    const fault = this.#choose();
    if (fault !== undefined) this.happened.set(fault, (this.happened.get(fault) ?? 0) + 1);
    if (fault === 'gone') refuse(response, 410, 'Expired');
    else if (fault === 'throttled') refuse(response, 429, 'TooManyRequests', { 'retry-after': '1' });
    else if (fault === 'unavailable') refuse(response, 503, 'ServiceUnavailable');
    else this.#forward(request, response, fault);
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    fault: 'reset' | 'stall' | 'half-line' | undefined,
  ) {
    const { method, headers, url = '/' } = request;
    // The server's certificate is its own; on loopback there is nothing to verify.
    const upstream = httpsRequest(`${this.#target}${url}`, { method, headers, rejectUnauthorized: false });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      // An answer of known length would be complete with its first chunk, and so not stall at all.
      let isStalled = fault === 'stall' && answer.headers['content-length'] !== undefined;
      answer.on('error', () => response.destroy());
      answer.on('end', () => isStalled || response.end());
      answer.on('data', (chunk: Buffer) => {
        if (isStalled) return;
        const isCut = fault === 'half-line' || fault === 'reset';
        response.write(isCut ? chunk.subarray(0, Math.ceil(chunk.length / 2)) : chunk);
        if (fault === 'half-line') setImmediate(() => response.destroy());
        if (fault === 'reset') setImmediate(() => request.socket.resetAndDestroy());
        isStalled = fault !== undefined;
      });
    });
    request.pipe(upstream);
  }
}
