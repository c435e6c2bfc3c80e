/** Stops the machine of an old primary for good: its Server is told to stay off first, or it would be started again. */
import { keyOf } from '../../api/meta.ts';
import { serverKind, type Server } from '../../api/server.ts';
import type { Cloud } from '../../cloud/port.ts';
import type { Fence } from '../../failover/port.ts';
import type { Kube } from '../../kube/port.ts';

export interface FencePorts {
  readonly kube: Kube;
  /** The cloud of the cluster's account. */
  readonly cloud: () => Promise<Cloud>;
  /** As last seen. */
  readonly servers: readonly Server[];
}

export function createFence({ kube, cloud, servers }: FencePorts): Fence {
  return {
    cut: async ({ server: name, instanceID }) => {
      const known = servers.find(({ metadata }) => metadata.name === name);
      const server = known === undefined ? undefined : await kube.get(serverKind, keyOf(known));
      const isSame = server?.status?.instanceID === instanceID;
      if (server !== undefined && isSame && server.spec.power !== 'Stopped') {
        await kube.patch(serverKind, server, { spec: { power: 'Stopped' } });
      }
      const { machines } = await cloud();
      await machines.stop(instanceID, { force: true });
    },
    isStopped: async (instanceID) => {
      const { machines } = await cloud();
      const [machine] = await machines.find([instanceID]);
      // Unknown is no proof: EC2 may not have heard of it yet, or not any more.
      return machine?.state === 'stopped' || machine?.state === 'terminated';
    },
  };
}
