/** What a load balancer's decisions are made from. Types only. */

import type { CloudAccount } from '../../api/cloud-account.ts';
import type { SiteDeployment } from '../../api/deployment.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { Server } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import type { Host } from '../../shell/port.ts';
import type { Certificate } from './certificates.ts';
import type { Materials } from './model.ts';
import type { Problem } from './problems.ts';

export interface Observed {
  readonly now: Instant;
  readonly balancer: LoadBalancer;
  readonly deployment: SiteDeployment | undefined;
  readonly account: CloudAccount | undefined;
  readonly problem: Problem | undefined;
  readonly materials: Materials;
  /** By name of the listener. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly frontends: readonly Frontend[];
  /** Of the wanted structure; while something is wrong with the spec, of the one wanted before. Undefined without front ends. */
  readonly hash: string | undefined;
}

export interface Frontend {
  readonly server: Server;
  readonly host: Host | undefined;
  /** What DNS publishes. */
  readonly address: string;
}
