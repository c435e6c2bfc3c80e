/** What a Server shares with the cluster or array it belongs to: its protection, and what becomes of the machine. Pure. */
import { findCondition } from './conditions.ts';
import { type AnyObject, annotations, labels } from './meta.ts';
import type { Server } from './server.ts';

/** A cluster or an array, as far as its Servers share what it says. */
export interface Protector extends AnyObject {
  readonly spec: {
    readonly deletionProtection: boolean;
    readonly deletionPolicy: 'Terminate' | 'Retain' | 'BackupThenTerminate';
  };
}

/** Why a Server's machine does not end although the deletion of its object was asked for. */
export type Hold = 'OwnProtection' | 'OwnerProtection' | 'OwnerWaitsForBackup' | 'OwnerNeedsIt';

/** undefined when nothing keeps it, or nobody has asked. `owner`: undefined for a Server that has none. */
export function holdOf(server: Server, owner: Protector | undefined): Hold | undefined {
  if (server.metadata.deletionTimestamp === undefined) return undefined;
  if (server.spec.deletionProtection) return 'OwnProtection';
  if (owner === undefined) return undefined;
  const isNeeded = server.metadata.annotations?.[annotations.heldBy] !== undefined;
  return protectionOf(server, owner) ?? (isNeeded ? 'OwnerNeedsIt' : undefined);
}

function protectionOf(server: Server, { spec }: Protector): Hold | undefined {
  if (mayEndAlone(server)) return undefined;
  if (spec.deletionProtection) return 'OwnerProtection';
  return spec.deletionPolicy === 'BackupThenTerminate' ? 'OwnerWaitsForBackup' : undefined;
}

/** Whether its deletion was asked for and goes on. */
export function isGoing(server: Server, owner: Protector | undefined): boolean {
  return server.metadata.deletionTimestamp !== undefined && holdOf(server, owner) === undefined;
}

/** The same as the Server itself says it, for those who do not know its owner. */
export function saysItGoes({ metadata, status }: Server): boolean {
  return metadata.deletionTimestamp !== undefined && findCondition(status, 'Stalled')?.reason !== 'Blocked';
}

/** Whether the machine lives on when the object goes. A Server that is given up alone follows its own spec. */
export function isRetained(server: Server, owner: Protector | undefined): boolean {
  const ofOwner = mayEndAlone(server) ? undefined : owner?.spec.deletionPolicy;
  return server.spec.deletionPolicy === 'Retain' || ofOwner === 'Retain';
}

/**
 * A cluster is about to begin with the data of this machine, and has not made it its own: until then whoever gives it up
 * lets it go as it was. Once it has, the Server follows its owner for good, whatever its label says later.
 */
export function isBeingAdopted({ metadata, spec }: Server): boolean {
  if (spec.adopt === undefined || spec.deletionPolicy !== 'Retain') return false;
  return metadata.labels?.[labels.role] === 'joining';
}

/** Its owner, or a person, has marked it: it may go while the owner stays. */
export function mayEndAlone({ metadata }: Server): boolean {
  return metadata.labels?.[labels.allowDelete] !== undefined;
}

/** Whether an owner would not let this Server end, so that it has to be marked first. */
export function needsMark(server: Server, { spec }: Protector): boolean {
  return !mayEndAlone(server) && (spec.deletionProtection || spec.deletionPolicy !== 'Terminate');
}
