/** ScriptRun: one execution of scripts on one or many servers, with its progress and log. */
import * as z from 'zod';
import { messageLimit } from './conditions.ts';
import {
  exactlyOne,
  immutable,
  integer,
  label,
  listOf,
  mapBy,
  ref,
  rules,
  sha256,
  text,
  time,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, inputs, instanceID, span, statusOf } from './parts.ts';

const target = rules(
  z.object({
    server: label().exactOptional().describe('One Server.'),
    array: label().exactOptional().describe('All Operational members of a ServerArray.'),
    cluster: label().exactOptional().describe('Members of a MySQLCluster.'),
    deployment: label().exactOptional().describe('All Operational servers of a Deployment.'),
    role: z
      .enum(['Primary', 'Replica'])
      .exactOptional()
      .describe('Only members of `cluster` with this role.'),
  }),
  exactlyOne('server', 'array', 'cluster', 'deployment'),
  {
    rule: '!has(self.role) || has(self.cluster)',
    message: 'may only be set together with `cluster`',
    reason: 'FieldValueForbidden',
    fieldPath: '.role',
  },
);

const spec = rules(
  z.object({
    target: immutable(target).describe('Where it runs.'),
    operation: immutable(label()).exactOptional().describe('Operation of the ServerTemplate.'),
    scriptRef: immutable(ref()).exactOptional().describe('Any Script, as it is now.'),
    phase: immutable(z.enum(['Operational', 'Boot', 'Decommission']))
      .default('Operational')
      .describe('Boot and Decommission run the steps of the template and are made by the controller.'),
    inputs: immutable(inputs()).exactOptional().describe('Values for this run; override all others.'),
    parallelism: immutable(integer(1, 1000)).default(1).describe('Servers at a time.'),
    drain: immutable(z.boolean())
      .default(false)
      .describe(
        'Each server first leaves all its load balancers, and the next one goes only when it serves again; the last one that serves stays, and waits.',
      ),
    maxFailures: immutable(integer(0, 1000))
      .default(0)
      .describe('When more servers have failed, no further one is started.'),
    timeoutSeconds: immutable(integer(1, 86_400)).exactOptional().describe('Instead of that of the script.'),
    cancel: rules(z.boolean(), {
      rule: 'self == oldSelf || self == true',
      message: 'may not be set back to false',
    })
      .default(false)
      .describe('Set it to stop: running scripts get TERM, no further one is started.'),
    ttlSecondsAfterFinished: integer(0, 31_536_000)
      .exactOptional()
      .describe('Deletes this object so long after the end. Leave unset for objects kept in Git.'),
  }),
  {
    rule: "self.phase != 'Operational' || has(self.operation) != has(self.scriptRef)",
    message: 'exactly one of `operation`, `scriptRef` must be set',
    reason: 'FieldValueInvalid',
  },
  {
    rule: "self.phase == 'Operational' || (has(self.target.server) && !has(self.operation) && !has(self.scriptRef))",
    message:
      'must be Operational unless `target.server` is the only thing set; other phases take their steps from the template',
    reason: 'FieldValueInvalid',
    fieldPath: '.phase',
  },
  {
    rule: "!self.drain || self.phase == 'Operational' && (has(self.target.array) || has(self.target.server))",
    message: 'may only be set for operations on an array or on one server',
    reason: 'FieldValueForbidden',
    fieldPath: '.drain',
  },
);

const step = z.object({
  name: label().describe('Step of the template, or the operation or script.'),
  state: z
    .enum(['Queued', 'Running', 'Succeeded', 'Failed', 'TimedOut', 'Canceled', 'Interrupted'])
    .describe('How far it is.'),
  exitCode: integer(0, 255).optional().describe('Exit status of the newest attempt.'),
  attempt: count(100).describe('Attempt, counted from 1.'),
  jobID: text(64).optional().describe('Job on the host; found again after a restart of the controller.'),
  secretsVersion: text(16).optional().describe('Versions of the Secrets it was given; never their content.'),
  retryTime: time().optional().describe('The attempt does not start before.'),
  ...span,
});

const result = z.object({
  server: label().describe('Server.'),
  state: z
    .enum([
      'Queued',
      'Running',
      'Succeeded',
      'Failed',
      'TimedOut',
      'Canceled',
      'Interrupted',
      'Unreachable',
      'Skipped',
    ])
    .describe('How far it is; Skipped: it was deleted meanwhile.'),
  exitCode: integer(0, 255).optional().describe('Exit status of the last step.'),
  message: text(messageLimit).optional().describe('Why it is not Succeeded.'),
  steps: listOf(step, 50).optional().describe('Steps begun so far, in order.'),
  logTail: text(2048).optional().describe('Last lines of the log, secrets masked.'),
  logURL: text(2048).optional().describe('The whole log.'),
  logBytes: count(2 ** 31 - 1)
    .optional()
    .describe('Length of the log before the step that runs now.'),
  instanceID: instanceID().optional().describe('Machine it began on; no other is touched.'),
  drain: z
    .enum(['Draining', 'Drained', 'Returning'])
    .optional()
    .describe('Around the script: leaving its load balancers, out of service, or coming back.'),
  drainTime: time().optional().describe('Since when that is so.'),
  ...span,
});

const status = statusOf({
  operation: text(63).optional().describe('Operation, script or phase that runs.'),
  target: text(128).optional().describe('Target, as kind/name.'),
  scriptSHA256: sha256().optional().describe('Digest of the script that ran.'),
  startTime: time().optional().describe('When it started.'),
  completionTime: time().optional().describe('When it ended.'),
  cancelTime: time().optional().describe('When the controller saw the wish to cancel.'),
  durationSeconds: count(31_536_000).optional().describe('From startTime to completionTime.'),
  total: count().optional().describe('Servers it is meant for.'),
  active: count().optional().describe('Servers on which it runs.'),
  succeeded: count().optional().describe('Servers on which it succeeded.'),
  failed: count().optional().describe('Servers on which it did not.'),
  results: mapBy(['server'], result, 1000)
    .optional()
    .describe('Per server. The end of the log is kept for the first 50, failures first.'),
});

export const scriptRunKind = defineKind({
  kind: 'ScriptRun',
  plural: 'scriptruns',
  short: 'rlr',
  scope: 'Namespaced',
  maxNameLength: 253,
  categories: userCategories,
  description: 'One execution of an operation, of a script, or of boot or decommission steps.',
  spec,
  status,
  columns: [
    { name: 'Operation', type: 'string', jsonPath: '.status.operation' },
    { name: 'Target', type: 'string', jsonPath: '.status.target' },
    reasonColumn('Succeeded'),
    { name: 'Of', type: 'integer', jsonPath: '.status.total' },
    { name: 'OK', type: 'integer', jsonPath: '.status.succeeded' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed' },
    { name: 'Secs', type: 'integer', jsonPath: '.status.durationSeconds' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].message',
      priority: 1,
    },
    {
      name: 'By',
      type: 'string',
      jsonPath: '.metadata.annotations.ridgeline\\.dev/requested-by',
      priority: 1,
    },
    ageColumn,
  ],
});

export type ScriptRunSpec = SpecOf<typeof scriptRunKind>;
export type ScriptRunStatus = StatusOf<typeof scriptRunKind>;
export type ScriptRun = KubeObject<ScriptRunSpec, ScriptRunStatus>;
