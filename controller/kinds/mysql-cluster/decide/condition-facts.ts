/** What conditions are made from, and which there are. Types only. */
import type { ConditionOf } from '../../../api/conditions.ts';
import type { Observed } from './plan.ts';
import type { Trouble } from './upkeep.ts';

export interface ConditionFacts {
  readonly observed: Observed;
  readonly troubles: ReadonlyMap<string, Trouble>;
  readonly armed: ConditionOf<'MySQLCluster', 'FailoverArmed'>;
  /** How the ways to the cluster are. */
  readonly routing: Pick<ConditionOf<'MySQLCluster', 'EndpointsReady'>, 'reason' | 'message'>;
}

export interface Conditions {
  readonly Ready: ConditionOf<'MySQLCluster', 'Ready'>;
  readonly Available: ConditionOf<'MySQLCluster', 'Available'>;
  readonly Redundant: ConditionOf<'MySQLCluster', 'Redundant'>;
  readonly FailingOver: ConditionOf<'MySQLCluster', 'FailingOver'>;
  readonly FailoverArmed: ConditionOf<'MySQLCluster', 'FailoverArmed'>;
  readonly ReplicationHealthy: ConditionOf<'MySQLCluster', 'ReplicationHealthy'>;
  readonly PrivilegedWriters: ConditionOf<'MySQLCluster', 'PrivilegedWriters'>;
  readonly UnsafeTables: ConditionOf<'MySQLCluster', 'UnsafeTables'>;
  readonly SettingsApplied: ConditionOf<'MySQLCluster', 'SettingsApplied'>;
  readonly CredentialsCurrent: ConditionOf<'MySQLCluster', 'CredentialsCurrent'>;
  readonly CertificatesCurrent: ConditionOf<'MySQLCluster', 'CertificatesCurrent'>;
  readonly BackupHealthy: ConditionOf<'MySQLCluster', 'BackupHealthy'>;
  readonly EndpointsReady: ConditionOf<'MySQLCluster', 'EndpointsReady'>;
}
