/** What a member is to be prepared with. Pure. */
import type { MySQLCluster } from '../../../api/mysql-cluster.ts';
import { type PreparationDigests, preparationDigests } from '../../../database/preparation.ts';
import type { ServerSettings } from '../../../database/settings.ts';
import type { Member } from './member.ts';

/** The same spec and machine give the same settings: their digest tells what is outdated. */
export function settingsOf(
  { spec }: MySQLCluster,
  { instanceID = '', address = '' }: Pick<Member, 'instanceID' | 'address'>,
): ServerSettings {
  const { engine, settings = [], durability } = spec;
  const { flavor, version: series } = engine;
  return { flavor, series, instanceID, privateAddress: address, durability, settings };
}

/** By spec, then by machine: a pass asks for each member many times, and a spec never changes in place. */
const digests = new WeakMap<MySQLCluster['spec'], Map<string, PreparationDigests>>();

/** Digests to compare with those that the member reported. */
export function wantedOf(cluster: MySQLCluster, member: Member): PreparationDigests {
  const { instanceID = '', address = '' } = member;
  const machine = `${instanceID} ${address}`;
  const known = digests.get(cluster.spec) ?? new Map<string, PreparationDigests>();
  digests.set(cluster.spec, known);
  const wanted = known.get(machine) ?? preparationDigests(settingsOf(cluster, member));
  known.set(machine, wanted);
  return wanted;
}
