/** LaunchBatch: the write-ahead record of one RunInstances request; internal, made by the controller only. */
import * as z from 'zod';
import { immutable, integer, label, mapBy, ref, revisionHash, text, time } from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, imageID, instanceID, instanceType, securityGroupIDs, statusOf, zone } from './parts.ts';

/** Why 25: user data carries one write-once URL per slot and EC2 takes 16 KiB of it. */
export const maxSlots = 25;

/** A machine prints this on its console when somebody else handed in host keys at its address first. */
export const conflictMarker = 'ridgeline: attestation conflict';

/** Where machine `index` of a batch hands in its host keys. */
export function attestationKey(prefix: string, batch: string, index: number): string {
  return `${prefix}attest/${batch}/${index}`;
}

const volume = z.object({
  sizeGiB: integer(1, 65_536).describe('Size.'),
  type: text(16).describe('EBS volume type.'),
  iops: integer(100, 256_000).exactOptional().describe('Provisioned IOPS.'),
  throughputMiBps: integer(125, 2000).exactOptional().describe('Provisioned throughput.'),
  kmsKeyID: text(2048).exactOptional().describe('KMS key.'),
});

/** The launch request without its client token, which is made of this object's uid. */
const request = z.object({
  minCount: integer(1, maxSlots).describe('Fewest instances EC2 may start.'),
  maxCount: integer(1, maxSlots).describe('Number of slots.'),
  imageID: imageID().describe('AMI.'),
  instanceType: instanceType().describe('Instance type.'),
  subnetID: text(32).exactOptional().describe('Subnet.'),
  zone: zone().exactOptional().describe('Availability zone.'),
  securityGroupIDs: securityGroupIDs().describe('Security groups.'),
  instanceProfile: text(128).exactOptional().describe('IAM instance profile.'),
  spot: z.boolean().describe('Spot instances.'),
  metadataHopLimit: integer(1, 64).describe('IMDSv2 hop limit.'),
  rootVolume: volume.exactOptional().describe('Root disk.'),
  dataVolume: volume.exactOptional().describe('Second disk.'),
  userData: text(16_384).describe('First script of the machine; holds nothing secret.'),
  tags: z
    .record(z.string(), text(256))
    .meta({ maxProperties: 50 })
    .describe('Tags of instances and volumes.'),
});

const slot = z.object({
  index: integer(0, maxSlots - 1).describe('Launch index of the instance that belongs to it.'),
  server: label().describe('Server, in the same namespace.'),
  serverUID: text(64).describe('Uid of that Server.'),
  incarnation: count().describe('Which machine of that Server it is.'),
  attempt: count().describe('Number of the launch request it answers.'),
});

const spec = immutable(
  z.object({
    accountRef: ref().describe('CloudAccount.'),
    serverTemplateRef: ref().describe('ServerTemplate.'),
    templateRevision: revisionHash().describe('Revision of the template.'),
    request: request.describe('What EC2 is asked for, the same on every replay.'),
    slots: mapBy(['index'], slot, maxSlots).min(1).describe('Who gets which instance.'),
  }),
  'spec is immutable; a replay must send the same request',
);

const refusal = z
  .object({
    reason: text(64).describe('Reason of the refusal.'),
    message: text(1024).describe('What EC2 said.'),
  })
  .describe('A certain no to the newest request; earlier ones may still have been granted.');

const status = statusOf({
  outcome: z
    .enum(['InFlight', 'Completed', 'Failed'])
    .optional()
    .describe('InFlight until EC2 gave an answer that is certain.'),
  instances: mapBy(
    ['index'],
    z.object({
      index: integer(0, maxSlots - 1).describe('Launch index.'),
      instanceID: instanceID().describe('EC2 instance.'),
    }),
    maxSlots,
  )
    .optional()
    .describe('What EC2 started.'),
  reason: text(64).optional().describe('Why it ended so; see reasons.ts.'),
  message: text(1024).optional().describe('What EC2 said to the newest request.'),
  attempts: count().optional().describe('Requests sent so far.'),
  unanswered: count().optional().describe('Requests that may or may not have taken effect.'),
  refusal: refusal.optional(),
  lastAttemptTime: time().optional().describe('When the newest request was sent.'),
  lookUpTime: time().optional().describe('When EC2 was last asked which machines the token made.'),
  completionTime: time().optional().describe('When the outcome was certain.'),
  settledTime: time().optional().describe('When the last server had taken its machine.'),
});

export const launchBatchKind = defineKind({
  kind: 'LaunchBatch',
  plural: 'launchbatches',
  short: 'rllaunch',
  scope: 'Namespaced',
  categories: ['ridgeline-internal'],
  description: 'One launch request to EC2, written down before it is sent. Made by the controller only.',
  spec,
  status,
  columns: [
    { name: 'Outcome', type: 'string', jsonPath: '.status.outcome' },
    { name: 'Type', type: 'string', jsonPath: '.spec.request.instanceType' },
    { name: 'Wanted', type: 'integer', jsonPath: '.spec.request.maxCount' },
    { name: 'Requests', type: 'integer', jsonPath: '.status.attempts' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason' },
    ageColumn,
  ],
});

export type LaunchBatchSpec = SpecOf<typeof launchBatchKind>;
export type LaunchBatchStatus = StatusOf<typeof launchBatchKind>;
export type LaunchBatch = KubeObject<LaunchBatchSpec, LaunchBatchStatus>;
