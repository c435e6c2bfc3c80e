/** The HTTP servers for probes and metrics. Probes speak about this process only: a cloud outage does not fail them. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Millis } from '../base/clock.ts';
import type { Metrics } from './metrics.ts';

export interface Address {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

export interface HealthOptions {
  readonly health: Address;
  readonly metricsAt: Address;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** What is still missing before this process can do its work; empty = ready. */
  readonly unready: () => readonly string[];
}

/** The event loop may fall behind this much before the process counts as hung. */
const delayLimit: Millis = 5_000;
const tick: Millis = 500;

export class HealthServer implements AsyncDisposable {
  private readonly options: HealthOptions;
  private readonly servers: Server[] = [];
  private ticker: NodeJS.Timeout | undefined;
  private tickedAt: Millis;

  constructor(options: HealthOptions) {
    this.options = options;
    this.tickedAt = options.clock.monotonic();
  }

  /** Listens; resolves with the ports in use. Rejects when a port is taken. */
  async listen(): Promise<{ readonly health: number; readonly metrics: number }> {
    const { health, metricsAt, clock } = this.options;
    this.tickedAt = clock.monotonic();
    this.ticker = setInterval(() => this.measureDelay(), tick);
    this.ticker.unref();
    return {
      health: await this.serve(health, (path, response) => this.answerProbe(path, response)),
      metrics: await this.serve(metricsAt, (path, response) => void this.answerMetrics(path, response)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.ticker);
    await Promise.all(
      this.servers.map(async (server) => {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      }),
    );
  }

  private async serve(
    at: Address,
    answer: (path: string, response: ServerResponse) => void,
  ): Promise<number> {
    const server = createServer((request, response) =>
      answer((request.url ?? '').split('?')[0] ?? '', response),
    );
    server.listen(at.port, at.host);
    await once(server, 'listening');
    this.servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  private answerProbe(path: string, response: ServerResponse): void {
    if (path === '/healthz') {
      const delay = this.delay();
      const problems = delay < delayLimit ? [] : [`the event loop is ${(delay / 1000).toFixed(1)} s behind`];
      answerWith(response, problems);
    } else if (path === '/readyz') {
      answerWith(response, this.options.unready());
    } else {
      response.writeHead(404).end('not found\n');
    }
  }

  private async answerMetrics(path: string, response: ServerResponse): Promise<void> {
    if (path !== '/metrics') {
      response.writeHead(404).end('not found\n');
      return;
    }
    const { registry } = this.options.metrics;
    response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
  }

  private delay(): Millis {
    return Math.max(0, this.options.clock.monotonic() - this.tickedAt - tick);
  }

  private measureDelay(): void {
    this.options.metrics.eventLoopDelay.observe(this.delay() / 1000);
    this.tickedAt = this.options.clock.monotonic();
  }
}

function answerWith(response: ServerResponse, problems: readonly string[]): void {
  const isGood = problems.length === 0;
  response.writeHead(isGood ? 200 : 503, { 'content-type': 'text/plain' });
  response.end(isGood ? 'ok\n' : `${problems.join('\n')}\n`);
}
