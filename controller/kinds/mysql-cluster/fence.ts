/**
 * Stops the machine of an old primary for good: its Server is told to stay off first, or it would be started again. Never in
 * an orderly way: MySQL answers OK on SIGTERM to commits that nobody else has.
 */
import { isLongMissing } from '../../accounts/absence.ts';
import type { OpenAccount } from '../../accounts/port.ts';
import { annotations, keyOf } from '../../api/meta.ts';
import { isFenced, type Server, serverKind } from '../../api/server.ts';
import type { Clock } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import type { Fence } from '../../failover/port.ts';
import type { Kube } from '../../kube/port.ts';

export interface FencePorts {
  readonly kube: Kube;
  readonly clock: Clock;
  /** The cluster's account. */
  readonly open: () => Promise<OpenAccount>;
  /** As last seen. */
  readonly servers: readonly Server[];
}

/** `cut` is accepted for a machine that is gone, too; `isStopped` is the proof. */
export function createFence({ kube, clock, open, servers }: FencePorts): Fence {
  return {
    cut: async ({ server: name, instanceID }) => {
      const known = servers.find(({ metadata }) => metadata.name === name);
      const server = known === undefined ? undefined : await kube.get(serverKind, keyOf(known));
      const isSame = server?.status?.instanceID === instanceID;
      const isTold = server?.spec.power === 'Stopped' && isFenced(server, instanceID);
      if (server !== undefined && isSame && !isTold) {
        // The mark goes with it: whoever sees `Stopped` stops the machine too, and must do it in the same way.
        await kube.patch(serverKind, server, {
          metadata: { annotations: { [annotations.fenced]: instanceID } },
          spec: { power: 'Stopped' },
        });
      }
      const { machines } = (await open()).cloud;
      try {
        await machines.stop(instanceID, { skipOsShutdown: true });
      } catch (error) {
        // It was terminated, now or long ago; `isStopped` tells.
        if (!hasCode(error, 'cloud.wrong-state') && !hasCode(error, 'cloud.not-found')) throw error;
      }
    },
    isStopped: async (instanceID) => {
      const { cloud, view } = await open();
      const [machine] = await cloud.machines.find([instanceID]);
      // It was a primary, so it is no machine that EC2 has not heard of yet.
      if (machine === undefined) return isLongMissing(view, instanceID, clock.now());
      return machine.state === 'stopped' || machine.state === 'terminated';
    },
  };
}
