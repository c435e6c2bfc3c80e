/** What one HAProxy process on one host should do, before it becomes a file. Types only. */
import type { Layout } from './layout.ts';

export interface ProxyModel {
  readonly layout: Layout;
  /** Shown in the file's header, e.g. `LoadBalancer site/www`. */
  readonly owner: string;
  /** The host's name in logs and `show info`; passes `safeWord`. */
  readonly node: string;
  readonly listeners: readonly Listener[];
  readonly backends: readonly Backend[];
  /** Show the maintenance page instead of asking the backends. */
  readonly maintenance: boolean;
  /** HTML of that page. */
  readonly page: string;
  /** For a file that moves with something that has one holder at a time, such as the primary of a database. */
  readonly term?: Term;
  /** Whole lines from the user, already checked by `readExtraLines`. */
  readonly extra: { readonly global: readonly string[]; readonly defaults: readonly string[] };
}

/** Numbers the holders of one thing: a host never takes a file of a lower number again. */
export interface Term {
  /** What they hold; numbers of different things are not compared. Passes `safeWord`. */
  readonly of: string;
  readonly number: number;
}

export interface Listener {
  readonly name: string;
  /** `*` or an address of the host. */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP';
  readonly backend: string;
  /** PEM: certificate chain and private key; for HTTPS. */
  readonly certificate?: string;
}

export interface Backend {
  readonly name: string;
  readonly protocol: 'HTTP' | 'TCP';
  readonly balance: 'RoundRobin' | 'LeastConn' | 'Source';
  /** Absent: its servers are taken on trust, connected to once, and changed by a reload only. */
  readonly check?: HealthCheck;
  readonly servers: readonly ProxyServer[];
}

/** A backend whose servers come and go at runtime. */
export interface CheckedBackend extends Backend {
  readonly check: HealthCheck;
}

export interface HealthCheck {
  /** HTTP path; empty = TCP connect. */
  readonly path: string;
  /** The server must speak first, as MySQL does: one that is frozen still accepts connections. For TCP. */
  readonly greeting?: boolean;
  readonly periodMilliseconds: number;
  /** Successes until UP, failures until DOWN. */
  readonly rise: number;
  readonly fall: number;
}

/** One backend process. Its name is never used for another address. */
export interface ProxyServer {
  /** `<instance id>-<port>`. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Requests at a time; 0 = no limit. More wait in HAProxy. */
  readonly maxConnections: number;
  /** Gets connections only while no other server is up. */
  readonly backup?: boolean;
}
