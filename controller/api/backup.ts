/** Backup: one backup of one database. */
import * as z from 'zod';
import { immutable, integer, label, ref, sha256, text } from './fields.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import { backupSource } from './mysql-cluster-parts.ts';
import { count, span, statusOf } from './parts.ts';

const spec = immutable(
  z.object({
    clusterRef: ref().describe('MySQLCluster.'),
    source: backupSource(),
    method: z
      .enum(['LVMSnapshot', 'Dump'])
      .exactOptional()
      .describe('How it is taken; as the cluster says when unset.'),
    deadlineSeconds: integer(60, 604_800).default(21_600).describe('Time it may take.'),
    deletionPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .describe('What deleting this object does to the objects in S3.'),
    verify: z.boolean().default(false).describe('Restore it on a scratch server and check the data.'),
  }),
  'spec is immutable; create a new object',
);

const status = statusOf({
  server: label().optional().describe('Server it was taken from.'),
  ...span,
  durationSeconds: count(2_147_483_647).optional().describe('From startTime to completionTime.'),
  lockMilliseconds: count(2_147_483_647).optional().describe('How long the global read lock was held.'),
  attempts: count(100).optional().describe('Tries for the lock.'),
  sizeBytes: integer(0, Number.MAX_SAFE_INTEGER).optional().describe('Bytes in S3.'),
  size: text(16).optional().describe('The same, for people.'),
  location: text(2048).optional().describe('Address, as s3://bucket/prefix.'),
  sha256: sha256().optional().describe('Digest of the manifest.'),
  gtid: text(8192).optional().describe('GTID set of the snapshot.'),
  serverVersion: text(64).optional().describe('Version of the database.'),
});

export const backupKind = defineKind({
  kind: 'Backup',
  plural: 'backups',
  short: 'rlb',
  scope: 'Namespaced',
  categories: userCategories,
  description: 'One backup of one database.',
  spec,
  status,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.clusterRef.name' },
    reasonColumn('Succeeded'),
    { name: 'Source', type: 'string', jsonPath: '.status.server' },
    { name: 'Size', type: 'string', jsonPath: '.status.size' },
    { name: 'Secs', type: 'integer', jsonPath: '.status.durationSeconds' },
    {
      name: 'Verified',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Verified")].status',
      priority: 1,
    },
    { name: 'Location', type: 'string', jsonPath: '.status.location', priority: 1 },
    ageColumn,
  ],
});
