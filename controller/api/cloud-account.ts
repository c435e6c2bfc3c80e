/** CloudAccount: one AWS account and region, how to reach it, and which namespaces may spend its money. */
import * as z from 'zod';
import {
  bucket,
  defaulted,
  immutable,
  integer,
  label,
  namespacedSecretRef,
  requiredWhen,
  rules,
  setOf,
  text,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, securityGroupIDs, statusOf, subnetIDs, tags } from './parts.ts';

const credentials = rules(
  z.object({
    type: z
      .enum(['Ambient', 'AssumeRole', 'Secret'])
      .default('Ambient')
      .describe('Ambient is the SDK default chain: EKS Pod Identity, IRSA, instance role, environment.'),
    roleARN: text(2048, /^arn:aws[a-z-]*:iam::[0-9]{12}:role\/.+$/)
      .exactOptional()
      .describe('Role to assume.'),
    externalID: text(1224).min(2).exactOptional().describe('External ID that the role asks for.'),
    secretRef: namespacedSecretRef()
      .exactOptional()
      .describe('Secret with accessKeyID and secretAccessKey; static keys are for trials.'),
  }),
  requiredWhen('roleARN', 'type', 'AssumeRole'),
  requiredWhen('secretRef', 'type', 'Secret'),
);

const allowedNamespaces = rules(
  z.object({
    from: z.enum(['All', 'Names', 'Selector']).describe('How namespaces are chosen.'),
    names: setOf(label()).exactOptional().describe('Namespaces when `from` is Names.'),
    matchLabels: z
      .record(z.string(), text(63))
      .meta({ maxProperties: 32 })
      .exactOptional()
      .describe('Labels a namespace must carry when `from` is Selector.'),
  }),
  requiredWhen('matchLabels', 'from', 'Selector'),
  {
    rule: "self.from != 'Names' || (has(self.names) && self.names.size() > 0)",
    message: 'may not be empty when `from` is Names',
    reason: 'FieldValueRequired',
    fieldPath: '.names',
  },
);

const url = () => text(2048, /^https?:\/\/.+$/).exactOptional();

const endpoints = z.object({
  ec2: url().describe('EC2 API.'),
  s3: url().describe('S3 API.'),
  route53: url().describe('Route 53 API.'),
  sts: url().describe('STS API.'),
});

const network = z.object({
  subnetIDs: subnetIDs().exactOptional().describe('Subnets that servers may be launched into.'),
  securityGroupIDs: securityGroupIDs().exactOptional().describe('Security groups of every server.'),
  sshAddress: z.enum(['Private', 'Public']).default('Private').describe('Address the controller dials.'),
});

const ssh = z.object({
  user: text(32, /^[a-z_][a-z0-9_-]*$/)
    .default('admin')
    .describe('Login of the image; it needs sudo without a password.'),
  port: integer(1, 65_535).default(22).describe('Port of sshd.'),
  keySecretRef: namespacedSecretRef()
    .exactOptional()
    .describe('Secret with ssh-privatekey; when unset the controller makes an ed25519 key and keeps it.'),
});

const spec = z.object({
  region: immutable(text(32, /^[a-z]{2}(-[a-z]+)+-[0-9]+$/)).describe('AWS region.'),
  credentials: defaulted(credentials).describe('Identity the controller acts with.'),
  endpoints: endpoints.exactOptional().describe('API addresses other than those of AWS.'),
  allowedNamespaces: allowedNamespaces.describe('Who may use this account.'),
  network: defaulted(network).describe('Defaults for every server.'),
  ssh: defaulted(ssh).describe('How the controller logs in.'),
  maxServers: integer(0, 10_000).default(20).describe('Spending guard: no launch goes beyond it.'),
  stateStore: z
    .object({
      bucket: bucket().describe('S3 bucket.'),
      prefix: text(512).default('').describe('Put before every key, usually ending in a slash.'),
    })
    .describe('Where booting hosts prove who they are and script logs are kept.'),
  tags: tags().exactOptional().describe('EC2 tags on everything that is created.'),
});

const status = statusOf({
  accountID: text(12).optional().describe('AWS account number.'),
  identityARN: text(2048).optional().describe('Identity that AWS sees.'),
  sshPublicKey: text(1024).optional().describe('Public key that servers are told to accept.'),
  servers: count().optional().describe('Live servers counted against maxServers.'),
  missingPermissions: setOf(text(128)).optional().describe('IAM actions that were refused.'),
});

export const cloudAccountKind = defineKind({
  kind: 'CloudAccount',
  plural: 'cloudaccounts',
  short: 'rlc',
  scope: 'Cluster',
  categories: ['ridgeline-admin'],
  description: 'An AWS account and region: identity, spending guard, and who may use it.',
  spec,
  status,
  columns: [
    { name: 'Region', type: 'string', jsonPath: '.spec.region' },
    { name: 'Account', type: 'string', jsonPath: '.status.accountID' },
    { name: 'Servers', type: 'integer', jsonPath: '.status.servers' },
    { name: 'Limit', type: 'integer', jsonPath: '.spec.maxServers' },
    reasonColumn('Ready'),
    ageColumn,
  ],
});

export type CloudAccountSpec = SpecOf<typeof cloudAccountKind>;
export type CloudAccountStatus = StatusOf<typeof cloudAccountKind>;
export type CloudAccount = KubeObject<CloudAccountSpec, CloudAccountStatus>;
