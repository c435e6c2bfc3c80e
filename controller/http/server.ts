/** One HTTP server of the process: answers its routes, bounds what a client may hold, and closes without losing answers. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Millis } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Answer, findRoute, plainText, type Route } from './routes.ts';

export interface Address {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

export interface HttpServerOptions {
  readonly address: Address;
  readonly routes: readonly Route[];
  readonly log: Logger;
  readonly timings?: Timings;
}

/** How long a client may take; whoever takes longer is answered 408 and disconnected. */
export interface Timings {
  readonly headers: Millis;
  /** The headers and the body together. */
  readonly request: Millis;
  /** What answers under way may still take once the server closes. */
  readonly close: Millis;
}

const patience: Timings = { headers: 5_000, request: 15_000, close: 1_000 };
/** Node looks for late clients this often; its default of 30 s would make the limits above a promise only. */
const checkInterval: Millis = 1_000;

/** Made by `start`; dispose of it to stop listening. */
export class HttpServer implements AsyncDisposable {
  readonly #routes: readonly Route[];
  readonly #log: Logger;
  readonly #timings: Timings;
  readonly #server: Server;
  #port = 0;

  private constructor({ routes, log, timings = patience }: HttpServerOptions) {
    this.#routes = routes;
    this.#log = log;
    this.#timings = timings;
    this.#server = createServer(
      {
        headersTimeout: timings.headers,
        requestTimeout: timings.request,
        connectionsCheckingInterval: Math.min(checkInterval, timings.headers),
      },
      (request, response) => void this.#serve(request, response),
    );
  }

  /** Resolves when clients can connect; rejects when the port is taken. */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const serving = new HttpServer(options);
    serving.#server.listen(options.address.port, options.address.host);
    await once(serving.#server, 'listening');
    serving.#port = (serving.#server.address() as AddressInfo).port;
    return serving;
  }

  /** The port that was taken. */
  get port(): number {
    return this.#port;
  }

  /** Takes no new connections, lets answers under way finish for a moment, then cuts what is left. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    const cut = setTimeout(() => this.#server.closeAllConnections(), this.#timings.close);
    await closed;
    clearTimeout(cut);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, contentType, body, headers } = await this.#answer(request);
    response.writeHead(status, {
      ...headers,
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      // A connection that is kept would outlive the server's close.
      ...(this.#server.listening ? {} : { connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '' } = request;
    const found = findRoute(this.#routes, method, url);
    if ('status' in found) return found;
    try {
      return await found.answer(request);
    } catch (error) {
      this.#log.error({ err: error, method, path: found.path }, 'a request could not be answered');
      return plainText(500, 'internal error');
    }
  }
}
