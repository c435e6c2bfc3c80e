/** The larger parts of a MySQLCluster's spec: settings, bootstrap, failover, endpoints, backups. */

import * as z from 'zod';
import { bucket, integer, label, mapBy, ref, requiredWhen, rules, setOf, text } from './fields.ts';
import { adoptedMachine } from './parts.ts';

/** What the controller sets itself, because failover depends on it. */
const managedSettings = [
  'admin_address',
  'admin_port',
  'binlog_format',
  'datadir',
  'enforce_gtid_consistency',
  'event_scheduler',
  'gtid_domain_id',
  'gtid_mode',
  'gtid_strict_mode',
  'innodb_flush_log_at_trx_commit',
  'log_bin',
  'log_replica_updates',
  'log_slave_updates',
  'offline_mode',
  'port',
  'read_only',
  'relay_log_recovery',
  'report_host',
  'server_id',
  'skip_replica_start',
  'skip_slave_start',
  'super_read_only',
  'sync_binlog',
  'sync_relay_log',
];

const setting = z.object({
  name: rules(text(128, /^[a-z][a-z0-9_]*$/), {
    rule: `!self.startsWith('rpl_semi_sync') && !(self in [${managedSettings.map((name) => `'${name}'`).join(', ')}])`,
    message: 'is managed by the operator and may not be set',
  }).describe('Variable.'),
  value: text(1024).describe('Value.'),
});

export const settings = mapBy(['name'], setting, 200);

const s3Location = z.object({
  bucket: bucket().describe('S3 bucket.'),
  prefix: text(512).default('').describe('Key prefix.'),
});

export const bootstrap = rules(
  z.object({
    type: z.enum(['Empty', 'Backup', 'Dump', 'Adopt']).default('Empty').describe('Where data comes from.'),
    backupRef: ref().exactOptional().describe('Backup to restore.'),
    adopt: adoptedMachine()
      .exactOptional()
      .describe(
        'Machine of the primary of a cluster that was let go; it becomes the first primary, with its data.',
      ),
    dump: s3Location
      .extend({
        database: text(64, /^[A-Za-z0-9_$-]+$/)
          .exactOptional()
          .describe('Database that it is of, where the dump does not say so; made if it does not exist.'),
      })
      .exactOptional()
      .describe('Dump to load; the newest key under the prefix is taken.'),
  }),
  requiredWhen('backupRef', 'type', 'Backup'),
  requiredWhen('dump', 'type', 'Dump'),
  requiredWhen('adopt', 'type', 'Adopt'),
);

export const failover = z.object({
  mode: z.enum(['Automatic', 'Manual']).default('Automatic').describe('Manual only detects and tells.'),
  dataLoss: z
    .enum(['Refuse', 'Accept'])
    .default('Refuse')
    .describe('Refuse promotes only a replica proven to hold every acknowledged write.'),
  degradeAfterSeconds: integer(1, 3600)
    .default(10)
    .describe('With Balanced durability: time without any replica before commits stop waiting.'),
  silenceSeconds: integer(1, 60)
    .default(3)
    .describe(
      'A primary that neither we nor a replica nor most witnesses have heard of for this long has failed. Less is faster, and mistakes a longer pause for death.',
    ),
  stallSeconds: integer(5, 3600)
    .default(10)
    .describe('A primary that answers but cannot write for this long has failed.'),
  minIntervalSeconds: integer(0, 86_400)
    .default(600)
    .describe('No second automatic failover sooner, unless redundancy was restored.'),
  whenUnfenceable: z
    .enum(['Block', 'Proceed'])
    .default('Block')
    .describe('Proceed promotes although nothing proves that the old primary has stopped.'),
  keepFailedSeconds: integer(0, 2_592_000)
    .default(86_400)
    .describe('An old primary is kept, fenced, for this long.'),
  oldPrimary: z
    .enum(['Quarantine', 'RejoinIfClean'])
    .default('Quarantine')
    .describe(
      'Quarantine keeps an old primary switched off. RejoinIfClean starts it again and lets it follow when it proves to hold nothing that the new primary lacks.',
    ),
});

const dnsName = z.object({
  dnsName: text(253, /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$/).describe(
    'Host name inside the domain of the deployment.',
  ),
  ttlSeconds: integer(1, 3600).default(5).describe('Time to live.'),
});

const localProxy = rules(
  z.object({
    arrays: setOf(label()).min(1).describe('ServerArrays whose servers run the proxy.'),
    writerPort: integer(1024, 65_535).default(3306).describe('Port on 127.0.0.1 for writes.'),
    readerPort: integer(1024, 65_535).default(3307).describe('Port on 127.0.0.1 for reads.'),
  }),
  {
    rule: 'self.writerPort != self.readerPort',
    message: 'must be different from `writerPort`',
    reason: 'FieldValueInvalid',
    fieldPath: '.readerPort',
  },
);

export const endpoints = z.object({
  writer: dnsName.exactOptional().describe('Name of the primary.'),
  reader: dnsName.exactOptional().describe('Name of the replicas.'),
  localProxy: localProxy.exactOptional().describe('HAProxy on application servers; the fast path.'),
});

const schedule = z.object({
  name: label().describe('Name of the schedule.'),
  cron: text(128, /^(\S+\s+){4}\S+$/).describe('Five-field cron, in UTC.'),
  source: backupSource(),
  keepLast: integer(1, 10_000).describe('Backups kept.'),
});

export const backup = rules(
  z.object({
    destination: s3Location.exactOptional().describe('Where backups go.'),
    method: z.enum(['LVMSnapshot', 'Dump']).default('LVMSnapshot').describe('How a backup is taken.'),
    lockTimeoutSeconds: integer(1, 300).default(3).describe('Longest wait for the global read lock.'),
    lockRetries: integer(0, 20).default(8).describe('Tries for the lock before a backup fails.'),
    schedules: mapBy(['name'], schedule, 8).exactOptional().describe('When backups are taken.'),
    maxAgeSeconds: integer(60, 2_592_000).default(7200).describe('An older newest backup is reported.'),
  }),
  {
    rule: 'has(self.destination)',
    message: 'may not be empty when `backup` is set',
    reason: 'FieldValueRequired',
    fieldPath: '.destination',
  },
);

/** Which server a backup is taken from. */
export function backupSource() {
  return z
    .enum(['Replica', 'Primary', 'PreferReplica'])
    .default('PreferReplica')
    .describe('Server it is taken from.');
}
