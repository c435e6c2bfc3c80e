/** One EC2 call: its parameters, and the cloud it works on. */

import { CloudError } from '../../world/cloud-error.ts';
import type { Draft } from '../../world/draft.ts';
import type { Faults } from '../../world/faults.ts';
import type { Machines } from '../../world/machines.ts';
import type { MachineRuntime } from '../../world/runtime.ts';
import type { StaleReads } from '../../world/stale-reads.ts';
import type { Happening, World } from '../../world/world.ts';
import type { QueryParams } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';
import type { InstanceXml } from './instance-xml.ts';

/** What every handler works on. */
export interface Cloud {
  readonly world: World;
  readonly machines: Machines;
  readonly runtime: MachineRuntime;
  readonly faults: Faults;
  readonly reads: StaleReads;
  readonly instanceXml: InstanceXml;
}

/** Answers the elements inside `<ActionResponse>`, without the request id. */
export type Handler = (call: Ec2Call) => XmlObject | Promise<XmlObject>;

/** Made for each request. */
export class Ec2Call {
  readonly params: QueryParams;
  readonly cloud: Cloud;

  constructor(params: QueryParams, cloud: Cloud) {
    this.params = params;
    this.cloud = cloud;
  }

  /**
   * Makes the change, unless this is a dry run: everything before this line is what a dry run checks.
   * @throws CloudError DryRunOperation
   */
  commit(draft: Draft, happening: Happening): void {
    this.endDryRun();
    this.cloud.world.commit(draft, happening);
  }

  /** @throws CloudError DryRunOperation when this is a dry run */
  endDryRun(): void {
    if (!this.params.boolean('DryRun')) return;
    throw new CloudError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
  }
}

/** The answer of calls that have nothing to tell. */
export const DONE: XmlObject = { return: true };
