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

/** Digests to compare with those that the member reported. */
export function wantedOf(cluster: MySQLCluster, member: Member): PreparationDigests {
  return preparationDigests(settingsOf(cluster, member));
}
