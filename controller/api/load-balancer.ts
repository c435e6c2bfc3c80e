/** LoadBalancer: HAProxy on front-end servers, kept in step with the arrays behind it. */
import * as z from 'zod';
import {
  defaulted,
  immutable,
  integer,
  keyRef,
  label,
  listOf,
  mapBy,
  ref,
  requiredWhen,
  rules,
  secretRef,
  setOf,
  text,
  time,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, statusOf, suspend } from './parts.ts';

const port = () => integer(1, 65_535);
const hostName = () => text(253, /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$/);

const listener = rules(
  z.object({
    name: label().describe('Name of the listener.'),
    port: port().describe('Port on every front end.'),
    protocol: z.enum(['HTTP', 'HTTPS', 'TCP']).describe('What clients speak.'),
    certificateSecretRef: secretRef()
      .exactOptional()
      .describe('Secret of type kubernetes.io/tls, for HTTPS.'),
    backend: label().describe('Name of an entry of `backends`.'),
  }),
  requiredWhen('certificateSecretRef', 'protocol', 'HTTPS'),
);

const member = z.object({
  array: label().describe('ServerArray.'),
  port: port().describe('Port of the application; one entry for each process of a server.'),
  weight: integer(0, 256)
    .default(100)
    .describe('Share of the traffic; give application copies on front ends less.'),
  maxConnections: integer(0, 100_000)
    .default(0)
    .describe('Per server; the rest waits in HAProxy. 0 is no limit.'),
});

const check = z.object({
  path: text(1024, /^(\/[A-Za-z0-9._~!&()*+,;=:@%/?-]*)?$/)
    .default('')
    .describe('HTTP path; when empty a TCP connect is enough.'),
  periodMilliseconds: integer(100, 60_000).default(2000).describe('Time between checks.'),
  rise: integer(1, 100).default(2).describe('Successes in a row before a server gets traffic.'),
  fall: integer(1, 100).default(3).describe('Failures in a row before it gets none.'),
});

const backend = z.object({
  name: label().describe('Name of the backend.'),
  balance: z
    .enum(['RoundRobin', 'LeastConn', 'Source'])
    .default('RoundRobin')
    .describe('How a server is chosen.'),
  members: rules(mapBy(['array', 'port'], member, 16).min(1), {
    rule: 'self.exists(m, m.weight > 0)',
    message: 'at least one entry must have a `weight` greater than 0',
    reason: 'FieldValueInvalid',
  }).describe('Arrays that serve it.'),
  check: defaulted(check).describe('Health check, by every front end.'),
});

const spec = rules(
  z.object({
    deploymentRef: immutable(ref()).describe('Deployment it belongs to.'),
    frontendArrayRef: ref().describe('ServerArray whose servers run HAProxy.'),
    listeners: rules(mapBy(['name'], listener, 16).min(1), {
      rule: 'self.all(l, self.exists_one(other, other.port == l.port))',
      message: 'every listener must have a `port` of its own',
      reason: 'FieldValueInvalid',
    }).describe('What front ends listen on.'),
    backends: mapBy(['name'], backend, 16).min(1).describe('Where requests go.'),
    dns: z
      .object({
        name: hostName().describe('Host name inside the domain of the deployment.'),
        ttlSeconds: integer(1, 86_400).default(60).describe('Time to live.'),
      })
      .exactOptional()
      .describe('One A record per front end that serves.'),
    maintenance: defaulted(
      z.object({
        enabled: z.boolean().default(false).describe('Answer with the maintenance page (503).'),
        pageConfigMapKeyRef: keyRef().exactOptional().describe('HTML page; a plain one when unset.'),
      }),
    ).describe('Maintenance page.'),
    quarantinedServers: setOf(label())
      .exactOptional()
      .describe('Servers that get no traffic until they are taken off this list.'),
    onHandEdit: z
      .enum(['Overwrite', 'Pause'])
      .default('Overwrite')
      .describe('What to do when somebody edited the file on a front end; a copy is kept in any case.'),
    haproxyExtra: z
      .object({
        global: text(16_384).exactOptional().describe('Lines for the global section.'),
        defaults: text(16_384).exactOptional().describe('Lines for the defaults section.'),
      })
      .exactOptional()
      .describe('Lines of your own; checked by HAProxy before they are used.'),
    suspend: suspend(),
  }),
  {
    rule: 'self.listeners.all(l, self.backends.exists(b, b.name == l.backend))',
    message: 'every `backend` of a listener must name an entry of `backends`',
    reason: 'FieldValueInvalid',
    fieldPath: '.listeners',
  },
);

const frontend = z.object({
  server: label().describe('Server.'),
  configHash: text(64).optional().describe('Configuration it runs.'),
  version: text(64).optional().describe('HAProxy version.'),
  inService: z.boolean().optional().describe('It serves and is published.'),
  withdrawnTime: time().optional().describe('Since when it is not published any more.'),
  appliedTime: time().optional().describe('When the configuration was last changed.'),
});

const record = z.object({
  zoneID: text(32).describe('Route 53 hosted zone.'),
  name: text(253).describe('Name of the A record.'),
  ttlSeconds: count().describe('Time to live.'),
  addresses: setOf(text(45), 1000).describe('Addresses of the front ends.'),
});

const rollout = z.object({
  configHash: text(64).describe('Configuration that is tried.'),
  canary: label().describe('Server of the front end that gets it first.'),
  startTime: time().describe('Since when it is tried.'),
  stopMessage: text(1024).optional().describe('Why the other front ends do not get it.'),
});

const status = statusOf({
  configHash: text(64).optional().describe('Wanted configuration.'),
  frontendsApplied: count(1000).optional().describe('Front ends that run it.'),
  membersUp: count().optional().describe('Servers that all front ends see up.'),
  membersDown: count().optional().describe('Servers that are down or draining.'),
  url: text(2048).optional().describe('Address of the site.'),
  lastReloadTime: time().optional().describe('Last reload on any front end.'),
  rollout: rollout.optional().describe('A configuration that one front end runs before the others.'),
  provenConfigHashes: listOf(text(64), 5)
    .optional()
    .describe('Configurations that a front end was seen to serve with; the others may follow at once.'),
  frontendArray: label().optional().describe('ServerArray whose front ends it configures.'),
  frontends: mapBy(['server'], frontend).optional().describe('Per front end.'),
  record: record.optional().describe('What is published in DNS.'),
  upServers: setOf(label(), 1000).optional().describe('Servers that every front end sends requests to.'),
  drainedServers: setOf(label(), 1000)
    .optional()
    .describe('Servers marked to leave that no front end sends requests to and that have no sessions left.'),
});

export const loadBalancerKind = defineKind({
  kind: 'LoadBalancer',
  plural: 'loadbalancers',
  short: 'rllb',
  scope: 'Namespaced',
  categories: userCategories,
  maxNameLength: 52,
  description: 'HAProxy on front-end servers, in front of arrays.',
  spec,
  status,
  columns: [
    { name: 'Frontends', type: 'integer', jsonPath: '.status.frontendsApplied' },
    { name: 'Up', type: 'integer', jsonPath: '.status.membersUp' },
    { name: 'Down', type: 'integer', jsonPath: '.status.membersDown' },
    reasonColumn('Ready'),
    { name: 'URL', type: 'string', jsonPath: '.status.url' },
    { name: 'Config', type: 'string', jsonPath: '.status.configHash', priority: 1 },
    ageColumn,
  ],
});

export type LoadBalancerSpec = SpecOf<typeof loadBalancerKind>;
export type LoadBalancerStatus = StatusOf<typeof loadBalancerKind>;
export type LoadBalancer = KubeObject<LoadBalancerSpec, LoadBalancerStatus>;
