/** Databases over SSH: one Database for each host, kept with its sessions. */
import type { Clock } from '../base/clock.ts';
import type { Host, Remote } from '../shell/port.ts';
import { SshDatabase } from './database.ts';
import type { Database, Databases, Node, Witness } from './port.ts';
import { SshWitness } from './witness.ts';

/** One Database per address; another key, flavor or password makes a new one. */
export class SshDatabases implements Databases {
  readonly #remote: Remote;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly node: Node; readonly database: SshDatabase }>();

  constructor(remote: Remote, clock: Clock) {
    this.#remote = remote;
    this.#clock = clock;
  }

  of(node: Node): Database {
    const { address } = node.host;
    const known = this.#known.get(address);
    if (known !== undefined && isSame(known.node, node)) return known.database;
    known?.database.disconnect();
    const database = new SshDatabase(this.#remote, node, this.#clock);
    this.#known.set(address, { node, database });
    return database;
  }

  witness(host: Host): Witness {
    return new SshWitness(this.#remote, host);
  }

  /** Ends all sessions. */
  close(): void {
    for (const { database } of this.#known.values()) database.disconnect();
    this.#known.clear();
  }
}

function isSame(left: Node, right: Node): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
