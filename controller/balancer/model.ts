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
  /** Whole lines from the user, already checked by `readExtraLines`. */
  readonly extra: { readonly global: readonly string[]; readonly defaults: readonly string[] };
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
  readonly check: HealthCheck;
  readonly servers: readonly ProxyServer[];
}

export interface HealthCheck {
  /** HTTP path; empty = TCP connect. */
  readonly path: string;
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
}
