/** Server: one machine, from its launch to its termination. */
import { z } from 'zod';
import { immutable, integer, mapBy, ref, revisionHash, setOf, text, time } from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import {
  address,
  count,
  deletionProtection,
  imageID,
  inputs,
  instanceID,
  instanceType,
  lastError,
  statusOf,
  zone,
} from './parts.ts';

const spec = z.object({
  deploymentRef: immutable(ref()).describe('Deployment it belongs to.'),
  serverTemplateRef: ref().describe('Template; a change takes effect at the next launch.'),
  templateRevision: revisionHash()
    .exactOptional()
    .describe('Launches with this revision of the template instead of the newest.'),
  inputs: inputs()
    .exactOptional()
    .describe('Values; override those of the Deployment and the ServerTemplate.'),
  zone: immutable(zone()).exactOptional().describe('Availability zone; chosen when unset.'),
  power: z.enum(['Running', 'Stopped']).default('Running').describe('Wanted power state.'),
  deletionProtection: deletionProtection(),
  deletionPolicy: z
    .enum(['Terminate', 'Retain'])
    .default('Terminate')
    .describe('What deleting this object does to the instance.'),
});

const launchRequest = z
  .object({
    revision: revisionHash().describe('Template revision to launch.'),
    incarnation: count().describe('Which machine of this Server it is to be.'),
    attempt: count().describe('How often this incarnation was asked for.'),
    instanceType: instanceType().describe('Instance type of the offering.'),
    subnetID: text(32).optional().describe('Subnet of the offering.'),
    zone: zone().optional().describe('Availability zone of the offering.'),
    requestTime: time().describe('When it was decided.'),
  })
  .describe('The machine this Server asks for; joined with others into a LaunchBatch.');

const inputSource = z.object({
  name: text(63).describe('Environment variable name.'),
  level: z
    .enum(['Script', 'ServerTemplate', 'Deployment', 'Array', 'Cluster', 'Server', 'ScriptRun'])
    .describe('Level whose value won.'),
  ref: text(512).optional().describe('Where the value was read, e.g. Secret/db key password.'),
});

const status = statusOf({
  instanceID: instanceID().optional().describe('EC2 instance.'),
  instanceType: instanceType().optional().describe('EC2 instance type.'),
  imageID: imageID().optional().describe('AMI.'),
  zone: zone().optional().describe('Availability zone.'),
  role: z
    .enum(['Primary', 'Replica', 'Frontend', 'Member', 'Fenced'])
    .optional()
    .describe('Part it plays for its owner.'),
  privateIP: address().optional().describe('Private address.'),
  publicIP: address().optional().describe('Public address.'),
  publicDNSName: text(253).optional().describe('Public host name.'),
  templateRevision: revisionHash().optional().describe('Revision it was launched with.'),
  incarnation: count().optional().describe('Grows by one with every new machine of this Server.'),
  launchRequest: launchRequest.optional(),
  launchBatchRef: ref().optional().describe('LaunchBatch that answers the launch request.'),
  lastLaunchError: lastError().optional().describe('Why the newest launch request failed.'),
  launchTime: time().optional().describe('When EC2 accepted the launch.'),
  operationalTime: time().optional().describe('When this machine first became Operational.'),
  bootSeconds: count().optional().describe('From launchTime to operationalTime.'),
  sshHostKeys: setOf(text(128), 8)
    .optional()
    .describe('Pinned fingerprints, e.g. ED25519:SHA256:…; no other key is ever accepted.'),
  inputs: mapBy(['name'], inputSource, 200).optional().describe('Which level set each input; never values.'),
  bootAttempt: count().optional().describe('Number of the newest boot run.'),
  bootRunRef: ref().optional().describe('ScriptRun with the boot log.'),
  decommissionRunRef: ref().optional().describe('ScriptRun of the decommission scripts.'),
  decommissionTime: time().optional().describe('When decommissioning began.'),
  terminationTime: time().optional().describe('When EC2 accepted the termination.'),
  missingSince: time().optional().describe('Since when EC2 no longer lists the instance.'),
  consecutiveHealthFailures: integer(0, 1000).optional().describe('Failed health checks in a row.'),
  quarantineUntil: time().optional().describe('Kept for inspection until then.'),
});

export const serverKind = defineKind({
  kind: 'Server',
  plural: 'servers',
  short: 'rlsrv',
  scope: 'Namespaced',
  categories: userCategories,
  namesHosts: true,
  description: 'One machine. Arrays and clusters make these; people may too.',
  spec,
  status,
  columns: [
    reasonColumn('Ready'),
    { name: 'Role', type: 'string', jsonPath: '.status.role' },
    { name: 'Type', type: 'string', jsonPath: '.status.instanceType' },
    { name: 'Zone', type: 'string', jsonPath: '.status.zone' },
    { name: 'Address', type: 'string', jsonPath: '.status.privateIP' },
    { name: 'Instance', type: 'string', jsonPath: '.status.instanceID', priority: 1 },
    { name: 'Public', type: 'string', jsonPath: '.status.publicIP', priority: 1 },
    { name: 'Revision', type: 'string', jsonPath: '.status.templateRevision', priority: 1 },
    ageColumn,
  ],
  selectableFields: ['.status.instanceID', '.status.role'],
});

export type ServerSpec = SpecOf<typeof serverKind>;
export type ServerStatus = StatusOf<typeof serverKind>;
export type Server = KubeObject<ServerSpec, ServerStatus>;
