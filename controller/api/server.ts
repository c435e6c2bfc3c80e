/** Server: one machine, from its launch to its termination. */
import * as z from 'zod';
import {
  immutable,
  integer,
  label,
  listOf,
  mapBy,
  objectName,
  ref,
  revisionHash,
  setOf,
  text,
  time,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import { annotations, type KubeObject, labels } from './meta.ts';
import {
  address,
  adoptedMachine,
  count,
  deletionProtection,
  imageID,
  inputs,
  instanceID,
  instanceType,
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
  adopt: immutable(adoptedMachine())
    .exactOptional()
    .describe('Take over this machine, which runs already, instead of launching the first one.'),
  power: z.enum(['Running', 'Stopped']).default('Running').describe('Wanted power state.'),
  deletionProtection: deletionProtection(),
  deletionPolicy: z
    .enum(['Terminate', 'Retain'])
    .default('Terminate')
    .describe('What deleting this object does to the instance.'),
});

const launchRequest = z
  .object({
    template: label().describe('ServerTemplate to launch.'),
    revision: revisionHash().describe('Revision of it.'),
    incarnation: count().describe('Which machine of this Server it is to be.'),
    attempt: count().describe('Number of the request; grows with every one this Server makes.'),
    instanceType: instanceType().describe('Instance type of the offering.'),
    subnetID: text(32).optional().describe('Subnet of the offering.'),
    zone: zone().optional().describe('Availability zone of the offering.'),
    requestTime: time().describe('When it was decided.'),
  })
  .describe('The machine this Server asks for; joined with others into a LaunchBatch.');

const launchFailure = z.object({
  attempt: count().describe('Number of the request that failed.'),
  instanceType: instanceType().describe('Instance type of the offering.'),
  subnetID: text(32).optional().describe('Subnet of the offering.'),
  zone: zone().optional().describe('Availability zone of the offering.'),
  reason: text(64).describe('Class of the failure, e.g. InsufficientCapacity.'),
  message: text(512).describe('What EC2 said.'),
  time: time().describe('When it said so.'),
});

/** A run this Server started; the uid tells it from a later object of the same name. */
const runRef = z.object({
  name: objectName().describe('Name of the ScriptRun.'),
  uid: text(64).optional().describe('Uid of the ScriptRun, once it exists.'),
});

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
    .enum(['Primary', 'Replica', 'Joining', 'Fenced', 'Frontend', 'Member'])
    .optional()
    .describe('Part it plays for its owner.'),
  privateIP: address().optional().describe('Private address.'),
  publicIP: address().optional().describe('Public address.'),
  publicDNSName: text(253).optional().describe('Public host name.'),
  accountRef: ref().optional().describe('CloudAccount that pays for it.'),
  templateName: label().optional().describe('ServerTemplate it was launched from.'),
  templateRevision: revisionHash().optional().describe('Revision it was launched with.'),
  incarnation: count().optional().describe('Grows by one with every new machine of this Server.'),
  launchRequest: launchRequest.optional(),
  launchFailures: listOf(launchFailure, 20)
    .optional()
    .describe('Requests that failed since the last machine, oldest first.'),
  nextLaunchTime: time().optional().describe('No launch is asked for before this.'),
  launchBatchRef: ref().optional().describe('LaunchBatch that made the machine.'),
  launchIndex: integer(0, 24).optional().describe('Place of the machine in that batch.'),
  launchTime: time().optional().describe('When EC2 accepted the launch.'),
  operationalTime: time().optional().describe('When this machine first became Operational.'),
  bootSeconds: count().optional().describe('From launchTime to operationalTime.'),
  sshHostKeys: setOf(text(128), 8)
    .optional()
    .describe('Pinned fingerprints, e.g. ED25519:SHA256:…; no other key is ever accepted.'),
  inputs: mapBy(['name'], inputSource, 200).optional().describe('Which level set each input; never values.'),
  bootAttempt: count().optional().describe('Number of the newest boot run.'),
  bootRunRef: runRef.optional().describe('ScriptRun with the boot log.'),
  bootStartTime: time().optional().describe('When the time allowed for booting began.'),
  bootedTime: time().optional().describe('When the boot scripts of this machine had succeeded.'),
  forcedTime: time().optional().describe('When a person declared this machine Operational.'),
  handledForce: text(64).optional().describe('Echo of the annotation ridgeline.dev/force-operational.'),
  handledRetryBoot: text(64).optional().describe('Echo of the annotation ridgeline.dev/retry-boot.'),
  decommissionRunRef: runRef.optional().describe('ScriptRun of the decommission scripts.'),
  decommissionTime: time().optional().describe('When decommissioning began.'),
  terminationTime: time().optional().describe('When termination was last asked for.'),
  quarantineUntil: time().optional().describe('Kept for inspection until then.'),
});

export const serverKind = defineKind({
  kind: 'Server',
  plural: 'servers',
  short: 'rlsrv',
  scope: 'Namespaced',
  categories: userCategories,
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

/** The array a server belongs to. */
export function arrayOf({ metadata }: Server): string | undefined {
  return metadata.labels?.[labels.array];
}

/** Whether a failover has shut this machine out: it may end by a power cut only. */
export function isFenced({ metadata }: Server, machineID: string | undefined): boolean {
  const fenced = metadata.annotations?.[annotations.fenced];
  return fenced !== undefined && fenced === machineID;
}
