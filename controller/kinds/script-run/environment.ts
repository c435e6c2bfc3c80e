/** The environment every script is given besides its inputs. Pure. */
import type { ScriptRun } from '../../api/script-run.ts';
import type { Server } from '../../api/server.ts';
import type { ResolvedInput } from '../../inputs/resolve.ts';

/**
 * Inputs, then what Ridgeline and EC2 know about the server. Unknown facts are left out. The names with `EC2_` are
 * those that RightScripts read; an input cannot replace any of these.
 */
export function environmentOf(
  run: ScriptRun,
  server: Server,
  inputs: readonly ResolvedInput[],
): Readonly<Record<string, string>> {
  const { status } = server;
  const facts: Readonly<Record<string, string | undefined>> = {
    RL_SERVER: server.metadata.name,
    RL_ROLE: status?.role,
    RL_DEPLOYMENT: server.spec.deploymentRef.name,
    RL_RUN: run.metadata.name,
    RL_PHASE: run.spec.phase,
    EC2_INSTANCE_ID: status?.instanceID,
    EC2_INSTANCE_TYPE: status?.instanceType,
    EC2_AMI_ID: status?.imageID,
    EC2_AVAILABILITY_ZONE: status?.zone,
    EC2_PLACEMENT_AVAILABILITY_ZONE: status?.zone,
    EC2_LOCAL_IPV4: status?.privateIP,
    EC2_PUBLIC_IPV4: status?.publicIP,
    EC2_PUBLIC_HOSTNAME: status?.publicDNSName,
  };
  const known = Object.entries(facts).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(inputs.map(({ name, value }) => [name, value])),
    ...Object.fromEntries(known),
  };
}
