/** A real SSH server in this process, on a loopback port: what it answers is the test's choice. */
import { once } from 'node:events';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { createServer } from 'node:net';
import ssh2 from 'ssh2';
import { pinsOf } from '../../controller/shell/host-key.ts';
import type { Host } from '../../controller/shell/port.ts';
import { generateKeyPair } from './key-pair.ts';

/** Called for each command; the channel is the command's stdin and stdout. */
export type OnCommand = (command: string, channel: ssh2.ServerChannel) => void;

export class SshServer {
  /** TCP connections it ever took, and logins that succeeded. */
  connections = 0;
  logins = 0;
  onCommand: OnCommand = (_, channel) => {
    channel.exit(0);
    channel.end();
  };
  /** Called for each connection to a port of the host; without it the host has no open port. */
  onConnect: ((port: number, channel: ssh2.ServerChannel) => void) | undefined;
  readonly #hostKey = generateKeyPair('host');
  readonly #userKey = generateKeyPair('user');
  readonly #sockets = new Set<Socket>();
  #net: NetServer | undefined;

  /** Listens; answers how to reach it, with the right pin. */
  async open(): Promise<Host> {
    const server = new ssh2.Server({ hostKeys: [this.#hostKey.privateKey] }, (client) => {
      this.#serve(client);
    });
    const net = createServer((socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      server.injectSocket(socket);
    });
    this.#net = net;
    net.listen(0, '127.0.0.1');
    await once(net, 'listening');
    const { port } = net.address() as AddressInfo;
    return {
      address: '127.0.0.1',
      port,
      user: 'root',
      privateKey: this.#userKey.privateKey,
      hostKeys: pinsOf(this.#hostKey.publicKey),
    };
  }

  /** The host is silent from now on: its sockets stay open, and nothing is read or written. */
  hang(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** The host goes away: its sockets are reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.reset();
    this.#net?.close();
  }

  #serve(client: ssh2.Connection): void {
    client.on('error', () => undefined);
    client.on('authentication', (attempt) => {
      const expected = ssh2.utils.parseKey(this.#userKey.publicKey);
      const isOurs =
        attempt.method === 'publickey' &&
        !(expected instanceof Error) &&
        attempt.key.data.equals(expected.getPublicSSH());
      if (!isOurs) {
        attempt.reject(['publickey']);
        return;
      }
      attempt.accept();
    });
    client.on('ready', () => {
      this.logins += 1;
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _, { command }) => {
        this.onCommand(command, acceptExec());
      });
    });
    client.on('tcpip', (accept, reject, { destPort }) => {
      const refuse = reject as unknown as (reason: number, description: string) => void;
      if (this.onConnect === undefined) refuse(2, 'Connection refused');
      else this.onConnect(destPort, accept());
    });
  }
}
