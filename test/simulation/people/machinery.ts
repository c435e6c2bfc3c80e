/** Machines, hosts and databases as one: what happens to a machine happens to all that runs on it. */
import type { Machine } from '../../../controller/cloud/port.ts';
import type { Site } from '../../builders/site.ts';
import type { FakeServer } from '../../fakes/database-server.ts';
import type { FakeDatabases } from '../../fakes/databases.ts';

export class Machinery {
  /** Machines whose hardware died for good: EC2 goes on calling them running. */
  readonly wrecks = new Set<string>();
  readonly #site: Site;
  readonly #databases: FakeDatabases;
  /** State of each machine when it was last looked at, by id. */
  readonly #states = new Map<string, Machine['state']>();

  constructor(site: Site, databases: FakeDatabases) {
    this.#site = site;
    this.#databases = databases;
  }

  /** Has seen what the other has seen. */
  copyFrom(other: Machinery): void {
    for (const [id, state] of other.#states) this.#states.set(id, state);
  }

  get machines(): readonly Machine[] {
    return this.#site.cloud.machines.picture();
  }

  /** The database of a machine that has booted once. */
  database(address: string | undefined): FakeServer | undefined {
    try {
      return address === undefined ? undefined : this.#databases.server(address);
    } catch {
      return undefined;
    }
  }

  /** Addresses of machines that EC2 calls running. */
  get running(): readonly string[] {
    return this.machines
      .filter(({ state }) => state === 'running')
      .flatMap(({ privateIp }) => (this.database(privateIp) === undefined ? [] : [privateIp!]));
  }

  machineAt(address: string | undefined): Machine | undefined {
    return this.machines.find(({ privateIp, state }) => privateIp === address && state === 'running');
  }

  /** Keys of all writes that a server has applied or received. */
  keysOn(address: string | undefined): readonly string[] {
    const { log = [], relay = [] } = this.database(address) ?? {};
    const received = relay.map(({ transaction }) => transaction);
    return [...log, ...received].flatMap(({ row }) => ('key' in row ? [row.key] : []));
  }

  /** systemd ends the database, as `systemctl stop` makes it. */
  terminate(address: string): void {
    this.#databases.shutDown(address);
  }

  /** The host ends all its processes in the orderly way, databases included, and is off. */
  endOrderly(address: string): void {
    this.terminate(address);
    this.#databases.powerOff(address);
    this.#site.shell.reboot(address);
  }

  cutPower(address: string): void {
    this.#databases.powerOff(address);
    this.#site.shell.reboot(address);
  }

  /** Boots it again; a machine that stood still is no better for it. */
  boot(address: string): void {
    if (!this.wrecks.has(address)) this.#databases.powerOn(address);
  }

  /** Databases come with their machines and go with them; hosts can be reached when their machines can. */
  follow(): void {
    const { shell } = this.#site;
    for (const { id, privateIp = '', state } of this.machines) {
      const before = this.#states.get(id);
      this.#states.set(id, state);
      const known = this.database(privateIp);
      if (known === undefined) {
        if (state === 'running') this.#databases.addServer(privateIp, privateIp);
        continue;
      }
      if (before !== state) this.#change(privateIp, state);
      const isUp = this.#databases.server(privateIp).host === 'Up';
      shell.setReachable(privateIp, isUp && this.#databases.connects('controller', privateIp));
    }
  }

  #change(address: string, state: Machine['state']): void {
    // EC2 asks the system first, whether it is told to force it or not; one that does not hear loses its power.
    if (state === 'stopping' || state === 'shutting-down') this.endOrderly(address);
    else if (state === 'stopped' || state === 'terminated') this.cutPower(address);
    else if (state === 'running') {
      // Another host.
      this.wrecks.delete(address);
      this.#databases.powerOn(address);
    }
  }
}
