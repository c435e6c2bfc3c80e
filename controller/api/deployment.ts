/** Deployment: a web site, whose servers share inputs, network, DNS and account. */
import * as z from 'zod';
import { immutable, ref, text } from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import {
  count,
  deletionProtection,
  inputs,
  securityGroupIDs,
  statusOf,
  subnetIDs,
  suspend,
  tags,
} from './parts.ts';

const spec = z.object({
  accountRef: immutable(ref()).default({ name: 'default' }).describe('CloudAccount; cluster-scoped.'),
  description: text(1024).exactOptional().describe('Free text.'),
  inputs: inputs().exactOptional().describe('Values for every member; override those of the ServerTemplate.'),
  network: z
    .object({
      subnetIDs: subnetIDs().exactOptional().describe('Instead of the subnets of the account.'),
      securityGroupIDs: securityGroupIDs()
        .exactOptional()
        .describe('Instead of the security groups of the account.'),
    })
    .exactOptional()
    .describe('Overrides of the account.'),
  dns: z
    .object({
      zoneID: text(32, /^Z[A-Z0-9]+$/).describe('Route 53 hosted zone.'),
      domain: text(253, /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$/).describe(
        'Domain that published names lie in, e.g. example.com.',
      ),
    })
    .exactOptional()
    .describe('Where names of load balancers and databases are published.'),
  tags: tags().exactOptional().describe('EC2 tags on every server; override those of the account.'),
  deletionProtection: deletionProtection(),
  suspend: suspend(),
});

const status = statusOf({
  desiredServers: count().optional().describe('Servers wanted by all members together.'),
  operationalServers: count().optional().describe('Servers that are Operational.'),
  bootingServers: count().optional().describe('Servers that are Pending or Booting.'),
  strandedServers: count().optional().describe('Servers that are Stranded.'),
  url: text(2048)
    .optional()
    .describe('Address that a person can open: of the oldest LoadBalancer that serves.'),
});

export const siteDeploymentKind = defineKind({
  kind: 'Deployment',
  plural: 'deployments',
  short: 'rld',
  scope: 'Namespaced',
  categories: userCategories,
  maxNameLength: 52,
  description: 'A site: servers, arrays, load balancers and databases that share inputs, network and DNS.',
  spec,
  status,
  columns: [
    { name: 'Desired', type: 'integer', jsonPath: '.status.desiredServers' },
    { name: 'Operational', type: 'integer', jsonPath: '.status.operationalServers' },
    { name: 'Stranded', type: 'integer', jsonPath: '.status.strandedServers', priority: 1 },
    reasonColumn('Ready'),
    { name: 'URL', type: 'string', jsonPath: '.status.url' },
    ageColumn,
  ],
});

export type SiteDeploymentSpec = SpecOf<typeof siteDeploymentKind>;
export type SiteDeploymentStatus = StatusOf<typeof siteDeploymentKind>;
export type SiteDeployment = KubeObject<SiteDeploymentSpec, SiteDeploymentStatus>;
