/** ServerTemplate: everything needed to turn an image into a working server. */
import * as z from 'zod';
import {
  defaulted,
  exactlyOne,
  integer,
  label,
  mapBy,
  ref,
  requiredWhen,
  revisionHash,
  rules,
  text,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, imageID, inputs, instanceTypes, securityGroupIDs, statusOf } from './parts.ts';

const image = rules(
  z.object({
    id: imageID().exactOptional().describe('AMI id.'),
    name: text(128).min(3).exactOptional().describe('Name pattern with * and ?; the newest image is taken.'),
    owner: text(64)
      .default('self')
      .describe('Owner of the image that `name` looks for: self, amazon, or an account number.'),
  }),
  exactlyOne('id', 'name'),
);

/** An encrypted EBS volume. */
const volume = z.object({
  sizeGiB: rules(integer(1, 65_536), {
    rule: 'self >= oldSelf',
    message: 'must be greater than or equal to the current size; EBS volumes cannot shrink',
  }).describe('Size; may only grow.'),
  type: z.enum(['gp3', 'io2', 'st1']).default('gp3').describe('EBS volume type.'),
  iops: integer(100, 256_000).exactOptional().describe('Provisioned IOPS.'),
  throughputMiBps: integer(125, 2000).exactOptional().describe('Provisioned throughput, gp3 only.'),
  kmsKeyID: text(2048).exactOptional().describe('KMS key; volumes are encrypted in any case.'),
});

/** What EC2 is asked for; frozen into revisions as it is. */
export const instance = z.object({
  types: instanceTypes().describe('In order of preference; the next is tried when one is sold out.'),
  purchase: z.enum(['OnDemand', 'Spot']).default('OnDemand').describe('Buying option.'),
  profile: text(128).exactOptional().describe('Name of the IAM instance profile.'),
  rootVolume: volume.exactOptional().describe('Root disk, when other than that of the image.'),
  dataVolume: volume.exactOptional().describe('Second disk, for databases and uploads.'),
  metadataHopLimit: integer(1, 64).default(1).describe('IMDSv2 hop limit; IMDSv1 is always off.'),
});

/** One use of a script: a boot or decommission step, or an operation. */
const step = z.object({
  name: label().describe('Name of the step or operation.'),
  scriptRef: ref().describe('Script.'),
});

const operation = step.extend({
  title: text(63).exactOptional().describe('What people call it.'),
});

/** How a server proves it is healthy; frozen into revisions as it is. */
export const health = rules(
  z.object({
    type: z.enum(['TCP', 'HTTP', 'Script', 'None']).default('TCP').describe('Kind of check.'),
    port: integer(1, 65_535).default(22).describe('Port for TCP and HTTP.'),
    path: text(1024, /^\/.*$/)
      .default('/')
      .describe('Path for HTTP; 200 to 399 is healthy.'),
    scriptRef: ref().exactOptional().describe('Script for type Script; exit 0 is healthy.'),
    periodSeconds: integer(1, 3600).default(10).describe('Time between checks.'),
    timeoutSeconds: integer(1, 600).default(5).describe('Time one check may take.'),
    failureThreshold: integer(1, 100)
      .default(3)
      .describe('Failures in a row before the server is Unhealthy.'),
  }),
  requiredWhen('scriptRef', 'type', 'Script'),
);

const steps = () => mapBy(['name'], step, 50).exactOptional();

const spec = z.object({
  description: text(1024).exactOptional().describe('Free text.'),
  image: image.describe('Machine image; resolved once per revision.'),
  instance: instance.describe('Machine.'),
  securityGroupIDs: securityGroupIDs()
    .exactOptional()
    .describe('Added to those of the deployment or account.'),
  boot: steps().describe('Run in this order while the server is Booting.'),
  operations: mapBy(['name'], operation, 50)
    .exactOptional()
    .describe('Can be run on an Operational server by a ScriptRun.'),
  decommission: steps().describe('Run in this order before the server is terminated.'),
  inputs: inputs().exactOptional().describe('Values; override the defaults of scripts.'),
  health: defaulted(health).describe('When a server counts as healthy.'),
  bootDeadlineSeconds: integer(60, 86_400)
    .default(1800)
    .describe('From launch to Operational; after that the server is Stranded.'),
});

const status = statusOf({
  revision: revisionHash().optional().describe('Hash of everything that matters to a new server.'),
  imageID: imageID().optional().describe('AMI of this revision.'),
  servers: count().optional().describe('Servers made from it.'),
  outdatedServers: count().optional().describe('Servers on an older revision.'),
});

export const serverTemplateKind = defineKind({
  kind: 'ServerTemplate',
  plural: 'servertemplates',
  short: 'rlt',
  scope: 'Namespaced',
  categories: userCategories,
  description: 'What a server is: image, machine, scripts, inputs and health check.',
  spec,
  status,
  columns: [
    { name: 'Image', type: 'string', jsonPath: '.status.imageID' },
    { name: 'Types', type: 'string', jsonPath: '.spec.instance.types[0]' },
    { name: 'Revision', type: 'string', jsonPath: '.status.revision' },
    { name: 'Used', type: 'integer', jsonPath: '.status.servers' },
    reasonColumn('Ready'),
    ageColumn,
  ],
});

export type ServerTemplateSpec = SpecOf<typeof serverTemplateKind>;
export type ServerTemplateStatus = StatusOf<typeof serverTemplateKind>;
export type ServerTemplate = KubeObject<ServerTemplateSpec, ServerTemplateStatus>;
