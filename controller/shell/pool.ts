/** The open SSH connections, one per address. */
import type { Duplex } from 'node:stream';
import type { Host } from './port.ts';
import { type Answer, type Command, SshConnection } from './ssh.ts';

/** A host with another key, user or port gets a new connection; idle ones end by themselves. */
export class SshPool {
  readonly #connections = new Map<string, SshConnection>();

  /** Connects, or finds the connection; nothing is run. */
  async check(host: Host): Promise<void> {
    await this.#of(host).ready();
  }

  async run(host: Host, command: Command): Promise<Answer> {
    return await this.#of(host).run(command);
  }

  async open(host: Host, line: string): Promise<Duplex> {
    return await this.#of(host).open(line);
  }

  async connect(host: Host, port: number): Promise<Duplex> {
    return await this.#of(host).connect(port);
  }

  disconnect(address: string): void {
    this.#connections.get(address)?.close();
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  #of(host: Host): SshConnection {
    const open = this.#connections.get(host.address);
    if (open !== undefined && isSame(open.host, host)) return open;
    // Another key, user or pin: what the old connection proved is worth nothing now.
    open?.close();
    const connection = new SshConnection(host, () => {
      if (this.#connections.get(host.address) === connection) this.#connections.delete(host.address);
    });
    this.#connections.set(host.address, connection);
    return connection;
  }
}

function isSame(left: Host, right: Host): boolean {
  return (
    left.port === right.port &&
    left.user === right.user &&
    left.privateKey === right.privateKey &&
    left.hostKeys.join() === right.hostKeys.join()
  );
}
