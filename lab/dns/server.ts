/** The name server: UDP and TCP, answering with each zone as of its last change that is in sync. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Zone } from '../world/model.ts';
import type { World } from '../world/world.ts';
import { answerQuestion } from './answer.ts';
import { readQuestion, writeReply } from './message.ts';

const UDP_LIMIT = 512;
const TCP_LIMIT = 65_535;
const TCP_IDLE_MS = 10_000;

export interface DnsOptions {
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  /** How long a change takes until it is answered with. */
  readonly syncDelayMs: number;
}

/** Made by `start`; must be closed. */
export class DnsServer {
  readonly #served: Map<string, Zone>;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  /** Resolves when both sockets listen on the same port. Rejects when the port is taken. */
  static async start(world: World, options: DnsOptions): Promise<DnsServer> {
    const server = new DnsServer(world, options.syncDelayMs);
    server.#tcp.listen(options.port, options.address);
    await once(server.#tcp, 'listening');
    server.#udp.bind(server.port, options.address);
    await once(server.#udp, 'listening');
    return server;
  }

  private constructor(world: World, syncDelayMs: number) {
    this.#served = new Map(world.state.zones);
    this.#udp = createSocket('udp4');
    this.#udp.on('message', (message, from) => {
      const reply = this.#reply(message, UDP_LIMIT);
      if (reply) this.#udp.send(reply, from.port, from.address);
    });
    this.#tcp = createServer((socket) => this.#converse(socket));
    world.onCommit((entry) => {
      for (const write of entry.writes) {
        if (write.table === 'zones') this.#later(syncDelayMs, () => this.#serve(write.key, write.value));
      }
    });
  }

  get port(): number {
    const address = this.#tcp.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const connection of this.#connections) connection.destroy();
    this.#udp.close();
    this.#tcp.close();
    await once(this.#tcp, 'close');
  }

  #serve(id: string, zone: Zone | null): void {
    if (zone) this.#served.set(id, zone);
    else this.#served.delete(id);
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #reply(message: Buffer, limit: number): Buffer | undefined {
    const question = readQuestion(message);
    return question && writeReply(question, answerQuestion(question, this.#served.values()), limit);
  }

  /** Over TCP each message comes with its length first. */
  #converse(socket: Socket): void {
    let pending: Buffer = Buffer.alloc(0);
    this.#connections.add(socket);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const reply = this.#reply(pending.subarray(2, end), TCP_LIMIT);
        pending = pending.subarray(end);
        if (!reply) {
          socket.destroy();
          return;
        }
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  }
}
