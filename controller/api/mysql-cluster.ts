/** MySQLCluster: one writable primary, replicas, failover and backups. Its parts are in `mysql-cluster-parts.ts`. */
import * as z from 'zod';
import {
  defaulted,
  immutable,
  integer,
  label,
  listOf,
  mapBy,
  ref,
  rules,
  secretRef,
  setOf,
  text,
  time,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { backup, bootstrap, endpoints, failover, settings } from './mysql-cluster-parts.ts';
import { count, deletionProtection, inputs, instanceID, statusOf, suspend } from './parts.ts';

const engine = z.object({
  flavor: immutable(
    z.enum(['MySQL', 'MariaDB']),
    'is immutable after creation; create a new cluster with spec.bootstrap.type Dump instead',
  ).describe('Product.'),
  version: text(8, /^[0-9]+\.[0-9]+$/).describe('Series, e.g. 8.4, 9.7, 10.11 or 11.8.'),
});

const spec = rules(
  z.object({
    deploymentRef: immutable(ref()).describe('Deployment it belongs to.'),
    serverTemplateRef: ref().describe('Template of the database servers.'),
    engine: engine.describe('Server software.'),
    instances: integer(1, 9).default(2).describe('Servers, the primary included.'),
    durability: z
      .enum(['Strict', 'Balanced', 'Async'])
      .default('Balanced')
      .describe(
        'Strict: a commit waits for a replica, always. Balanced: until no replica is left to wait for. Async: never.',
      ),
    maxLagSeconds: integer(1, 86_400).default(30).describe('A replica further behind counts as unhealthy.'),
    inputs: inputs()
      .exactOptional()
      .describe('Values; override those of the Deployment and the ServerTemplate.'),
    settings: settings.exactOptional().describe('Server variables.'),
    credentialsSecretRef: secretRef()
      .exactOptional()
      .describe('Secret with the passwords of the accounts; generated when unset.'),
    bootstrap: defaulted(immutable(bootstrap)).describe('Initial data.'),
    failover: defaulted(failover).describe('What happens when the primary dies.'),
    endpoints: endpoints.exactOptional().describe('How applications find it.'),
    backup: backup.exactOptional().describe('Backups to S3.'),
    deletionProtection: deletionProtection(true),
    deletionPolicy: z
      .enum(['Retain', 'Terminate', 'BackupThenTerminate'])
      .default('Retain')
      .describe('What deleting this object does to the servers. Backups are never deleted.'),
    suspend: suspend(),
  }),
  {
    rule: "self.instances > 1 || self.failover.mode == 'Manual'",
    message: 'must be greater than 1 when `failover.mode` is Automatic',
    reason: 'FieldValueInvalid',
    fieldPath: '.instances',
  },
  {
    rule: "self.instances > 1 || self.durability != 'Strict'",
    message: 'must be greater than 1 when `durability` is Strict',
    reason: 'FieldValueInvalid',
    fieldPath: '.instances',
  },
  {
    rule: "self.instances > 1 || !has(self.backup) || !has(self.backup.schedules) || !self.backup.schedules.exists(s, s.source == 'Replica')",
    message: 'must be greater than 1 when a backup schedule has source Replica',
    reason: 'FieldValueInvalid',
    fieldPath: '.instances',
  },
);

const primary = z.object({
  server: label().describe('Server that takes writes.'),
  instanceID: instanceID().optional().describe('Its EC2 instance.'),
  serverUUID: text(64).optional().describe('Id the database gives itself.'),
  epoch: count(2_147_483_647).describe('Grows by one with every change of primary.'),
});

/** Room for some 5,000 former primaries, each with a name of its own in MySQL's sets. */
export const baseGtidsLimit = 262_144;

const durability = z.object({
  state: z
    .enum(['Protected', 'Degrading', 'Releasing', 'Degraded', 'Rearming'])
    .describe(
      'Whether commits wait for a replica. Degrading: decided, nothing sent. Releasing: sent, commits may no longer wait.',
    ),
  ackers: setOf(label(), 9).describe('Replicas that may have acknowledged a commit.'),
  requiredAcks: integer(0, 8).describe('Acknowledgements a commit surely waits for.'),
  strays: integer(0, 99)
    .optional()
    .describe(
      'How many that are no members may have acknowledged a commit; nothing is proven while there are any.',
    ),
  baseGTIDs: text(baseGtidsLimit)
    .optional()
    .describe(
      'What the primary held when commits last began to wait or an acker left; whoever replaces it must hold that too.',
    ),
  changeTime: time().optional().describe('When this record was last changed.'),
  serial: count(2_147_483_647)
    .optional()
    .describe(
      'Grows by one with every change of this record; servers refuse orders that come from an earlier one.',
    ),
});

const member = z.object({
  server: label().describe('Server.'),
  role: z.enum(['Primary', 'Replica', 'Joining', 'Fenced']).optional().describe('Part it plays.'),
  instanceID: instanceID().optional().describe('Machine the step below belongs to.'),
  step: z
    .enum(['Waiting', 'Preparing', 'Loading', 'Cloning', 'Following', 'Joined'])
    .optional()
    .describe('How far it is on its way into the cluster.'),
  donor: label().optional().describe('Server it copies from.'),
  attempt: count().optional().describe('How often the step was begun.'),
  stepTime: time().optional().describe('When the step was begun, or may begin again after it failed.'),
  message: text(512).optional().describe('What the last failure of the step was.'),
  failure: z
    .enum(['LacksServer', 'UnsupportedVersion', 'ForeignData', 'RefusedSettings', 'DumpLacksDatabase'])
    .optional()
    .describe('Its kind, when trying again does not help.'),
  failingTime: time().optional().describe('Since when it is not well, or does not follow.'),
  settings: text(12)
    .optional()
    .describe('Digest of the settings it runs with; `outdated` when they are only known to be others.'),
  tools: text(12).optional().describe('Digest of the files the controller keeps on its host.'),
  certificateEndTime: time().optional().describe('When the certificate of its server ends.'),
  healthy: z.boolean().optional().describe('It counts as ready.'),
  lag: z
    .enum(['None', 'UnderLimit', 'OverLimit', 'Stopped', 'Unknown'])
    .optional()
    .describe('How far behind it is; the number is a metric.'),
  since: time().optional().describe('Since when.'),
});

const rollout = z.object({
  server: label().describe('Server that is brought in step now.'),
  step: z
    .enum(['Checking', 'Restarting'])
    .describe('Checking: it keeps running. Restarting: it starts again with changed settings.'),
  settings: text(12).describe('Digest of the settings it is to run with.'),
  tools: text(12).describe('Digest of the files its host is to have.'),
  startTime: time().describe('When this was begun.'),
  refused: z
    .boolean()
    .optional()
    .describe('It does not run with these settings; nothing is restarted until they change.'),
  message: text(512).optional().describe('Why it could not be done.'),
});

const credentials = z.object({
  serial: count(2_147_483_647).describe(
    'Servers accept the passwords in the Secret <name>-credentials-<serial>, a copy of what was wanted.',
  ),
  newest: count(2_147_483_647).describe('Highest number that such a Secret was ever given.'),
  rotation: z
    .object({
      step: z
        .enum(['Accepting', 'Moving', 'Discarding'])
        .describe(
          'Accepting: servers learn to accept the new passwords too. Moving: replicas come with the new one. Discarding: the former ones are refused.',
        ),
      serial: count(2_147_483_647)
        .optional()
        .describe('The Secret with the new passwords while Accepting, with the former ones later.'),
      moved: setOf(label(), 18).describe('Replicas that come with the new password.'),
      startTime: time().describe('When this step was begun.'),
    })
    .optional()
    .describe('How changed passwords get to the servers.'),
});

const certificates = z.object({
  request: text(253)
    .optional()
    .describe('Value of the annotation ridgeline.dev/renew-certificates that was taken up last.'),
  due: setOf(label(), 18)
    .optional()
    .describe('Servers that are still to get another certificate because of it.'),
  renewal: z
    .object({
      server: label().describe('Server that gets another certificate now.'),
      step: z
        .enum(['Making', 'Trusting', 'Presenting', 'Discarding'])
        .describe(
          'Making: beside the one in use. Trusting: replicas learn to accept both. Presenting: it shows the new one. Discarding: the former one is removed.',
        ),
      fingerprint: text(95).optional().describe('SHA-256 of the new certificate, once it is made.'),
      startTime: time().describe('When this was begun.'),
    })
    .optional()
    .describe('How one server gets another certificate.'),
});

const rejoin = z.object({
  server: label().describe('Old primary that is examined, or was.'),
  epoch: count(2_147_483_647).describe('Epoch in which another took its place.'),
  step: z
    .enum(['Starting', 'Following', 'Rejoined', 'Refusing', 'Refused'])
    .describe(
      'Starting: to be looked at, read-only. Following: it holds nothing of its own and follows. Refusing: to be switched off again.',
    ),
  startTime: time().describe('When it was decided to start it.'),
  message: text(512).optional().describe('Why it does not follow again.'),
});

const record = z.object({
  zoneID: text(32).describe('Route 53 hosted zone.'),
  name: text(253).describe('Name of the A record.'),
  ttlSeconds: count().describe('Time to live.'),
  addresses: setOf(text(45), 9).describe('Addresses it names.'),
});

const removal = z.object({
  time: time().describe('When they were removed.'),
  count: count().describe('How many.'),
});

const status = statusOf({
  version: text(64).optional().describe('Exact server version.'),
  instances: count(1000).optional().describe('Servers that exist.'),
  readyInstances: count(1000).optional().describe('Healthy members.'),
  selector: text(1024).optional().describe('Label selector of the servers.'),
  primary: primary.optional().describe('Who takes writes; changing it is what a promotion does.'),
  durability: durability.optional().describe('What a commit is known to wait for.'),
  endpoints: z
    .object({
      writer: text(300).optional().describe('Address for writes, host:port.'),
      reader: text(300).optional().describe('Address for reads, host:port.'),
    })
    .optional()
    .describe('Published addresses.'),
  records: mapBy(['name'], record, 4).optional().describe('What is published in DNS.'),
  members: mapBy(['server'], member, 18).optional().describe('Per server.'),
  rollout: rollout.optional().describe('How changed settings get to the servers, one at a time.'),
  credentials: credentials.optional().describe('Which passwords of our own accounts the servers accept.'),
  certificates: certificates
    .optional()
    .describe('How certificates of servers are renewed, one server at a time.'),
  currentPromotionRef: ref().optional().describe('Promotion that runs now.'),
  lastPromotionRef: ref().optional().describe('Newest finished Promotion.'),
  lastPromotionTime: time().optional().describe('When it ended.'),
  lastSuccessfulBackupRef: ref().optional().describe('Newest good Backup.'),
  lastSuccessfulBackupTime: time().optional().describe('When it ended.'),
  lastFailedBackupTime: time().optional().describe('When the newest failed Backup ended.'),
  nextBackupTime: time().optional().describe('When the next Backup is due.'),
  quarantined: mapBy(
    ['server'],
    z.object({
      server: label().describe('Server.'),
      instanceID: instanceID().optional().describe('Its EC2 instance.'),
      untilTime: time().optional().describe('Terminated after this.'),
    }),
    9,
  )
    .optional()
    .describe('Old primaries kept for inspection.'),
  rejoin: rejoin
    .optional()
    .describe('How the old primary of the last failover comes back, with failover.oldPrimary RejoinIfClean.'),
  releaseTime: time().optional().describe('When it began to let go of its servers.'),
  automaticRemovals: listOf(removal, 32)
    .optional()
    .describe('Servers removed by nobody in person during the last ten minutes.'),
});

export const mySQLClusterKind = defineKind({
  kind: 'MySQLCluster',
  plural: 'mysqlclusters',
  short: 'rlm',
  scope: 'Namespaced',
  categories: userCategories,
  maxNameLength: 52,
  description: 'A database: one writable primary, replicas that follow, failover and backups.',
  spec,
  status,
  columns: [
    reasonColumn('Ready'),
    { name: 'Primary', type: 'string', jsonPath: '.status.primary.server' },
    { name: 'Ready', type: 'integer', jsonPath: '.status.readyInstances' },
    { name: 'Want', type: 'integer', jsonPath: '.spec.instances' },
    { name: 'Failover', type: 'date', jsonPath: '.status.lastPromotionTime' },
    { name: 'Backup', type: 'date', jsonPath: '.status.lastSuccessfulBackupTime' },
    { name: 'Version', type: 'string', jsonPath: '.status.version', priority: 1 },
    { name: 'Epoch', type: 'integer', jsonPath: '.status.primary.epoch', priority: 1 },
    { name: 'Writer', type: 'string', jsonPath: '.status.endpoints.writer', priority: 1 },
    ageColumn,
  ],
  scale: ['.spec.instances', '.status.instances', '.status.selector'],
});

export type MySQLClusterSpec = SpecOf<typeof mySQLClusterKind>;
export type MySQLClusterStatus = StatusOf<typeof mySQLClusterKind>;
export type MySQLCluster = KubeObject<MySQLClusterSpec, MySQLClusterStatus>;

/** What commits wait for, as it is on record; never better than the truth. */
export type DurabilityRecord = NonNullable<MySQLClusterStatus['durability']>;
