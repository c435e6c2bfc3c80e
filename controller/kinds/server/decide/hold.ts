/** A deletion that waits for a person: whose word keeps the machine, and which command takes it back. Pure. */
import { group } from '../../../api/meta.ts';
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

function describeOwner(
  hold: 'OwnerProtection' | 'OwnerWaitsForBackup',
  server: Server,
  owner: Protector,
): string {
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
