/** What a cluster says of itself, situation by situation, and that each of its reasons is said in one of them. */
import { describe, expect, test } from 'vitest';
import { reasons } from '../../../../controller/api/reasons.ts';
import { verdictRows } from '../../routes/verdict-rows.ts';
import { failoverArmedRows } from './condition-rows-armed.ts';
import { availableRows } from './condition-rows-available.ts';
import { certificateRows } from './condition-rows-certificates.ts';
import { credentialRows } from './condition-rows-credentials.ts';
import { failingOverRows } from './condition-rows-failover.ts';
import { reconcilingRows, stalledRows } from './condition-rows-passing.ts';
import { readyRows } from './condition-rows-ready.ts';
import { redundantRows, replicationRows } from './condition-rows-replicas.ts';
import { backupRows, privilegedRows, settingsRows } from './condition-rows-settings.ts';
import { tableRows } from './condition-rows-tables.ts';
import { type ConditionTable, conditionsIn, well } from './condition-scene.ts';

const tables: ConditionTable = {
  Ready: readyRows,
  Available: availableRows,
  Redundant: redundantRows,
  FailingOver: failingOverRows,
  FailoverArmed: failoverArmedRows,
  ReplicationHealthy: replicationRows,
  PrivilegedWriters: privilegedRows,
  UnsafeTables: tableRows,
  SettingsApplied: settingsRows,
  CredentialsCurrent: credentialRows,
  CertificatesCurrent: certificateRows,
  BackupHealthy: backupRows,
  Stalled: stalledRows,
  Reconciling: reconcilingRows,
};

describe.each(Object.entries(tables))('%s', (type, rows) => {
  test.each(rows)('%s', (_, observed, says) => {
    expect(conditionsIn(observed).get(type)).toEqual(says);
  });
});

/** Its sentences are those of the routes. */
test.each(verdictRows)('EndpointsReady: %s', (_, _around, _ways, says) => {
  const [, reason, message] = says;
  expect(conditionsIn(well(), { reason, message }).get('EndpointsReady')).toEqual(says);
});

/** Nothing says these: nobody asks beforehand whether the primary could be fenced. */
const unsaid: Readonly<Record<string, readonly string[]>> = {
  FailoverArmed: ['CannotFence', 'PermissionMissing'],
};

describe('the reasons that are documented', () => {
  const reached = (type: string) =>
    type === 'EndpointsReady'
      ? verdictRows.map(([, , , [, reason]]) => reason)
      : (tables[type] ?? []).map(([, observed]) => conditionsIn(observed).get(type)?.[1]);

  test.each(Object.entries(reasons.MySQLCluster))('of %s are all said somewhere', (type, documented) => {
    const said = new Set(reached(type).filter((reason) => reason !== undefined));
    const expected = Object.keys(documented).filter((reason) => unsaid[type]?.includes(reason) !== true);
    expect([...said].toSorted()).toEqual(expected.toSorted());
  });

  test('are those of Ready where work goes on', () => {
    const said = reached('Reconciling').filter((reason) => reason !== undefined);
    expect(Object.keys(reasons.MySQLCluster.Ready)).toEqual(expect.arrayContaining(said));
  });
});
