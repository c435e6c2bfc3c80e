/** A deletion that waits for a person: whose word keeps the machine, and which command takes it back. Pure. */
import { annotations, group } from '../../../api/meta.ts';
import { holdOf, type Protector } from '../../../api/ownership.ts';
import type { Server } from '../../../api/server.ts';
import { labelCommand } from './messages.ts';
import type { Observed } from './plan.ts';

/** undefined when its deletion goes on, or there is no machine to keep. */
export function describeHold({ server, owner, status, machine }: Observed): string | undefined {
  const hold = holdOf(server, owner?.object);
  if (hold === undefined || status.instanceID === undefined || machine.state === 'gone') return undefined;
  const why =
    hold === 'OwnProtection' || owner === undefined
      ? `spec.deletionProtection is set. To let it go: ${patchCommand(server, { deletionProtection: false })}.`
      : describeOwner(hold, server, owner.object);
  return `Its deletion was asked for, and the machine stays: ${why}`;
}

/** The owner has written the reason on it, or not looked yet. */
function describeNeed({ metadata }: Server): string {
  return `${metadata.annotations?.[annotations.heldBy] ?? 'its owner'}. It goes by itself when the cluster can do without it`;
}

function describeOwner(
  hold: 'OwnerProtection' | 'OwnerWaitsForBackup' | 'OwnerNeedsIt',
  server: Server,
  owner: Protector,
): string {
  if (hold === 'OwnerNeedsIt') return `${describeNeed(server)}.`;
  const alone = `To end it alone: ${labelCommand(server)}.`;
  const whose = `it belongs to ${owner.kind} ${owner.metadata.name}`;
  if (hold === 'OwnerProtection') {
    const release = patchCommand(owner, { deletionProtection: false });
    return `${whose}, which is protected. ${alone} To let all of them go: ${release}.`;
  }
  const retain = patchCommand(owner, { deletionPolicy: 'Retain' });
  return `${whose}, whose spec.deletionPolicy is BackupThenTerminate, and this version takes no backups. ${alone} To keep all machines: ${retain}.`;
}

function patchCommand({ kind, metadata }: Server | Protector, spec: object): string {
  const { name, namespace } = metadata;
  const where = namespace === undefined ? '' : ` -n ${namespace}`;
  const resource = `${kind.toLowerCase()}s.${group}`;
  return `kubectl patch ${resource} ${name}${where} --type=merge -p '${JSON.stringify({ spec })}'`;
}
