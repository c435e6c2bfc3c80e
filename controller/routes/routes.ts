/** Leads applications to the primary: moves local proxies and names with it, and keeps both in place at rest. */

import type { Accounts } from '../accounts/port.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Server } from '../api/server.ts';
import { ProxyFleet, type Report } from '../balancer/fleet.ts';
import type { Proxies } from '../balancer/port.ts';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Failpoints } from '../base/failpoints.ts';
import { type AddressRecord, type Published, Publisher } from '../dns/publisher.ts';
import type { Moved, Router } from '../failover/port.ts';
import type { Cache } from '../kube/port.ts';
import { type Endpoint, proxyModelOf, type Route, readersOf, routeOf } from './model.ts';
import { moveProxy } from './move.ts';
import { wantedRecords, writerRecord } from './records.ts';
import { RouteSources } from './sources.ts';
import { type EndpointsCondition, endpointsConditionOf } from './verdict.ts';

export interface RouterPorts {
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly proxies: Proxies;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
}

/** How the ways to a cluster are: condition EndpointsReady and `status.records`. */
export interface Routing extends EndpointsCondition {
  readonly records: readonly AddressRecord[];
}

interface Keeping {
  routing: Routing;
  /** What the last round was about, and when it ended. */
  wish: string;
  at: Instant;
  isBusy: boolean;
  /** A mistake of ours, for the next caller. */
  failure: Error | undefined;
}

/** How often proxies are looked at when nothing has changed. */
const restPeriod: Millis = 5_000;
/** While proxies or names are on their way. */
const motionPeriod: Millis = 500;

/** One per process. `keep` never waits; everything else waits for hosts and AWS. */
export class Routes {
  readonly #ports: RouterPorts;
  readonly #sources: RouteSources;
  readonly #fleet: ProxyFleet;
  readonly #publisher = new Publisher();
  readonly #keeping = new Map<string, Keeping>();

  constructor(ports: RouterPorts) {
    this.#ports = ports;
    this.#sources = new RouteSources(ports.cache, ports.accounts);
    this.#fleet = new ProxyFleet(ports);
  }

  /** For one change of primary of this cluster. */
  of(cluster: MySQLCluster): Router {
    return {
      move: (primary, epoch, limit) => this.#move(cluster, { primary, epoch }, limit),
      publish: (address) => this.#publish(cluster, address),
    };
  }

  /**
   * Keeps proxies and names as the status says who is primary. Never waits: hosts and AWS are asked beside the pass, one
   * round at a time, and what the last round found is returned. While a Promotion runs, only it moves anything.
   */
  keep(cluster: MySQLCluster, suspended: boolean): Routing {
    const { uid } = cluster.metadata;
    const keeping = this.#keeping.get(uid) ?? firstKeeping(cluster);
    this.#keeping.set(uid, keeping);
    const { failure } = keeping;
    keeping.failure = undefined;
    if (failure !== undefined) throw failure;
    const isMoving = cluster.status?.currentPromotionRef !== undefined;
    if (!isMoving && this.#isDue(cluster, keeping)) void this.#run(cluster, { keeping, suspended });
    return keeping.routing;
  }

  /** Takes the names away, when the cluster goes. What runs on hosts goes on until they do. */
  async retire(cluster: MySQLCluster): Promise<void> {
    const { uid } = cluster.metadata;
    this.#fleet.forget(uid);
    this.#keeping.delete(uid);
    for (const record of cluster.status?.records ?? []) {
      await this.#publisher.withdraw(() => this.#sources.dns(cluster), idOf(cluster, record), record);
    }
  }

  #isDue(cluster: MySQLCluster, keeping: Keeping): boolean {
    const period = keeping.routing.reason === 'Updating' ? motionPeriod : restPeriod;
    const hasChanged = keeping.wish !== this.#wishOf(cluster);
    return !keeping.isBusy && (hasChanged || this.#ports.clock.now() - keeping.at >= period);
  }

  async #run(cluster: MySQLCluster, work: { keeping: Keeping; suspended: boolean }): Promise<void> {
    const { keeping, suspended } = work;
    keeping.isBusy = true;
    keeping.wish = this.#wishOf(cluster);
    try {
      keeping.routing = await this.#round(cluster, suspended);
    } catch (error) {
      if (error instanceof AppError) {
        keeping.routing = { ...keeping.routing, reason: 'Updating', message: `${error.message}.` };
      } else {
        keeping.failure = error instanceof Error ? error : new Error(String(error));
      }
    }
    keeping.at = this.#ports.clock.now();
    keeping.isBusy = false;
  }

  /** Changes when there is something to do at once. */
  #wishOf(cluster: MySQLCluster): string {
    const route = routeOf(cluster, this.#sources.servers(cluster));
    const hosts = this.#sources.proxyServers(cluster).map(({ metadata }) => metadata.uid);
    return JSON.stringify([route, hosts, cluster.spec.endpoints]);
  }

  async #round(cluster: MySQLCluster, suspended: boolean): Promise<Routing> {
    const around = this.#sources.around(cluster);
    const route = routeOf(cluster, this.#sources.servers(cluster));
    const before = cluster.status?.records ?? [];
    if (route === undefined) {
      return { ...endpointsConditionOf(around, { route, proxies: new Map(), names: [] }), records: before };
    }
    const [proxies, names] = await Promise.all([
      this.#passOver(cluster, route, suspended),
      suspended ? [] : this.#name(cluster, route),
    ]);
    const records = suspended ? before : names.flatMap(({ record }) => record ?? []);
    return { ...endpointsConditionOf(around, { route, proxies, names }), records };
  }

  /** A pass on every proxy; by name of its server. */
  async #passOver(
    cluster: MySQLCluster,
    route: Route,
    handsOff: boolean,
  ): Promise<ReadonlyMap<string, Report>> {
    const hosts = await this.#sources.hosts(cluster);
    const orders = hosts.flatMap(({ server, host }) => {
      const model = proxyModelOf(cluster, route, server.metadata.name);
      const id = proxyId(cluster, server);
      return model === undefined ? [] : [{ id, host, model, handsOff, onHandEdit: 'Overwrite' as const }];
    });
    this.#fleet.forget(cluster.metadata.uid, new Set(orders.map(({ id }) => id)));
    const reports = await this.#fleet.pass(orders);
    return new Map(
      orders.flatMap(({ id, model }) => {
        const report = reports.get(id);
        return report === undefined ? [] : [[model.node, report] as const];
      }),
    );
  }

  /** Names that are wanted, and those that no longer are. */
  async #name(cluster: MySQLCluster, route: Route): Promise<readonly Published[]> {
    const { deployment } = this.#sources.around(cluster);
    const before = cluster.status?.records ?? [];
    const wanted = wantedRecords({ cluster, deployment }, route);
    const names = new Set([...wanted, ...before].map(({ name }) => name));
    return await Promise.all(
      [...names].map((name) =>
        this.#wish(cluster, { before: recordOf(before, name), wanted: recordOf(wanted, name) }),
      ),
    );
  }

  async #move(
    cluster: MySQLCluster,
    { primary, epoch }: { readonly primary: Endpoint; readonly epoch: number },
    limit: Millis,
  ): Promise<Moved> {
    const readers = readersOf(cluster, this.#sources.servers(cluster), primary);
    const route = { epoch, writer: primary, readers };
    const { clock } = this.#ports;
    const hurry = new AbortController();
    const late = clock.sleep(limit, hurry.signal).then(
      () => `did not acknowledge within ${limit / 1000} s`,
      () => undefined,
    );
    const answers = (await this.#sources.hosts(cluster)).map(async (host) => {
      const { name } = host.server.metadata;
      const model = proxyModelOf(cluster, route, name);
      const known = this.#fleet.last(proxyId(cluster, host.server));
      const move = model === undefined ? undefined : moveProxy(this.#ports, host, { model, known });
      const message = await Promise.race([move, late]);
      return { server: name, message, at: clock.now() };
    });
    const all = await Promise.all(answers);
    hurry.abort();
    const moved = all.filter(({ message }) => message === undefined);
    return {
      moved: moved.map(({ server }) => server),
      ...(moved.length === 0 ? {} : { movedAt: Math.max(...moved.map(({ at }) => at)) }),
      missing: all.flatMap(({ server, message }) => (message === undefined ? [] : [{ server, message }])),
    };
  }

  async #publish(cluster: MySQLCluster, address: string): Promise<boolean> {
    const { deployment } = this.#sources.around(cluster);
    const wanted = writerRecord({ cluster, deployment }, address);
    if (wanted === undefined) return false;
    // Whatever the status says: it may be older than the last change.
    const { failure } = await this.#wish(cluster, { before: undefined, wanted });
    if (failure !== undefined) throw failure;
    this.#ports.failpoints.hit('balancer.after-publish');
    return true;
  }

  async #wish(cluster: MySQLCluster, { before, wanted }: Change): Promise<Published> {
    const name = wanted?.name ?? before?.name ?? '';
    const wish = { id: idOf(cluster, { name }), before, wanted };
    return await this.#publisher.publish(() => this.#sources.dns(cluster), wish, this.#ports.clock.now());
  }
}

interface Change {
  readonly before: AddressRecord | undefined;
  readonly wanted: AddressRecord | undefined;
}

function firstKeeping({ spec, status }: MySQLCluster): Keeping {
  const reason = spec.endpoints === undefined ? 'NotConfigured' : 'Updating';
  const message = reason === 'Updating' ? 'Not looked at yet.' : 'spec.endpoints is unset.';
  const routing = { reason, message, records: status?.records ?? [] } as const;
  return { routing, wish: '', at: -Infinity, isBusy: false, failure: undefined };
}

function proxyId(cluster: MySQLCluster, server: Server): string {
  return `${cluster.metadata.uid} ${server.metadata.uid}`;
}

function idOf({ metadata }: MySQLCluster, { name }: Pick<AddressRecord, 'name'>): string {
  return `${metadata.uid} ${name}`;
}

function recordOf(records: readonly AddressRecord[], name: string): AddressRecord | undefined {
  return records.find((record) => record.name === name);
}
