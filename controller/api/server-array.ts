/** ServerArray: a number of equal servers that grows, shrinks, heals and rolls to new revisions. */
import * as z from 'zod';
import {
  defaulted,
  immutable,
  integer,
  label,
  listOf,
  mapBy,
  ordered,
  ref,
  requiredWhen,
  revisionHash,
  rules,
  setOf,
  text,
  time,
} from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import {
  count,
  deletionProtection,
  generation as generationNumber,
  inputs,
  statusOf,
  suspend,
  zone,
} from './parts.ts';

const decimal = () => text(16, /^[0-9]+(\.[0-9]+)?$/);
const cron = () => text(128, /^(\S+\s+){4}\S+$/);
const manifold = () => count(1_000_000_000_000);
const members = (min: number) => integer(min, 1000);

const metric = rules(
  z.object({
    name: label().describe('Name of the metric.'),
    source: z
      .enum(['CPU', 'Load', 'Memory', 'ProxyQueue', 'ProxySessions', 'Script'])
      .describe('What is measured: percent for CPU and Memory, else a number; Load is the 1-minute average.'),
    scriptRef: ref()
      .exactOptional()
      .describe(
        'Script that prints the number, run on every voter once per period for at most 10 s. Its inputs have their default values; it may bring no packages or attachments.',
      ),
    growAbove: decimal().describe('A server votes to grow above this.'),
    shrinkBelow: decimal().describe('A server votes to shrink below this.'),
  }),
  {
    rule: 'double(self.shrinkBelow) < double(self.growAbove)',
    message: 'must be less than `growAbove`',
    reason: 'FieldValueInvalid',
    fieldPath: '.shrinkBelow',
  },
  requiredWhen('scriptRef', 'source', 'Script'),
);

const schedule = rules(
  z.object({
    name: label().describe('Name of the schedule.'),
    cron: cron().describe('Five-field cron: when these bounds start to apply.'),
    timeZone: text(64, /^[A-Za-z0-9_+/-]+$/)
      .default('Etc/UTC')
      .describe('IANA time zone.'),
    minReplicas: members(0).describe('Floor from then on.'),
    maxReplicas: members(1).describe('Ceiling from then on.'),
  }),
  ordered('minReplicas', 'maxReplicas'),
);

const autoscaling = rules(
  z.object({
    minReplicas: members(0).describe('Floor.'),
    maxReplicas: members(1).describe('Ceiling.'),
    metrics: mapBy(['name'], metric, 8).exactOptional().describe('What servers vote on.'),
    voterArrays: setOf(label(), 8)
      .exactOptional()
      .describe('ServerArrays whose servers vote too; an empty array can only grow by their votes.'),
    periodSeconds: integer(5, 3600).default(60).describe('Time between two decisions.'),
    decisionPercent: integer(1, 100).default(51).describe('Share of voters a decision needs.'),
    growBy: integer(1, 100).default(2).describe('Servers added by one decision.'),
    shrinkBy: integer(1, 100).default(1).describe('Servers removed by one decision.'),
    calmUpSeconds: integer(0, 86_400).default(300).describe('After a resize, no growth for this long.'),
    calmDownSeconds: integer(0, 86_400).default(900).describe('After a resize, no shrinking for this long.'),
    schedules: mapBy(['name'], schedule, 24).exactOptional().describe('Bounds by time of day.'),
  }),
  ordered('minReplicas', 'maxReplicas'),
);

const step = z.object({
  percent: integer(1, 100).describe('Share of the servers that run the new revision after this step.'),
  bakeSeconds: integer(0, 172_800).default(0).describe('Time to watch them before the next step.'),
  approval: z.boolean().default(false).describe('The next step waits for a person.'),
});

const errorWatch = z.object({
  maxExtraPercent: decimal()
    .default('1')
    .describe(
      'Percent of requests that may fail (5xx, or a broken answer) beyond what fails on old servers.',
    ),
  minRequests: integer(10, 1_000_000)
    .default(100)
    .describe('New servers, and old ones, are judged after so many requests in the present step.'),
});

const update = rules(
  z.object({
    type: z
      .enum(['OnRelaunch', 'RollingReplace', 'BlueGreen'])
      .default('OnRelaunch')
      .describe(
        'OnRelaunch changes only servers that are launched anyway; BlueGreen switches all at once when all are ready.',
      ),
    maxSurge: integer(0, 100).default(1).describe('Servers above the wanted number while rolling.'),
    maxUnavailable: integer(0, 100).default(0).describe('Servers below the wanted number while rolling.'),
    minReadySeconds: integer(0, 86_400)
      .default(0)
      .describe('A server counts after being in service this long.'),
    progressDeadlineSeconds: integer(60, 86_400)
      .default(1800)
      .describe('Without progress for this long the update has failed.'),
    failureBudget: integer(0, 1000)
      .default(0)
      .describe('New servers that may fail before the update has failed.'),
    errorWatch: errorWatch
      .exactOptional()
      .describe(
        'RollingReplace only: the update has failed when new servers answer worse than the old ones.',
      ),
    onFailure: z
      .enum(['Pause', 'Rollback'])
      .default('Pause')
      .describe('What happens when the update has failed.'),
    steps: rules(listOf(step, 20), {
      rule: 'self.map(s, s.percent).isSorted()',
      message: 'must be in rising order of `percent`',
      reason: 'FieldValueInvalid',
    })
      .exactOptional()
      .describe('Stops on the way; all at once when unset.'),
    retainOld: z
      .object({
        seconds: integer(60, 2_592_000).describe('How long.'),
        mode: z.enum(['Running', 'Stopped']).default('Running').describe('Power state of the old servers.'),
      })
      .exactOptional()
      .describe('Keeps the old servers out of service, so that going back takes seconds.'),
  }),
  {
    rule: 'self.maxSurge > 0 || self.maxUnavailable > 0',
    message: '`maxSurge` and `maxUnavailable` may not both be 0',
    reason: 'FieldValueInvalid',
  },
);

const unhealthy = z.object({
  action: z.enum(['Replace', 'Keep']).default('Replace').describe('What to do with such a server.'),
  afterSeconds: integer(10, 86_400)
    .default(300)
    .describe('When it has been Unhealthy or Stranded this long.'),
  maxPercent: integer(1, 100)
    .default(40)
    .describe('Above this share nothing is replaced: a bad template or a network cut is likely.'),
  keepSeconds: integer(0, 2_592_000)
    .default(0)
    .describe('A replaced server is kept out of service for inspection this long.'),
});

const spec = z.object({
  deploymentRef: immutable(ref()).describe('Deployment it belongs to.'),
  serverTemplateRef: ref().describe('Template of the servers.'),
  templateRevision: revisionHash()
    .exactOptional()
    .describe('Holds the array at, or takes it back to, this revision instead of the newest.'),
  replicas: integer(0, 1000)
    .default(1)
    .describe('Wanted servers. Leave it out of Git when anything scales the array.'),
  inputs: inputs()
    .exactOptional()
    .describe('Values; override those of the Deployment and the ServerTemplate.'),
  zones: setOf(zone(), 16).exactOptional().describe('Spread evenly over these; over all subnets when unset.'),
  autoscaling: autoscaling
    .exactOptional()
    .describe('Scaling by votes; when unset only people and other autoscalers scale.'),
  update: defaulted(update).describe('How a new revision reaches running servers.'),
  unhealthy: defaulted(unhealthy).describe('What happens to unhealthy and stranded servers.'),
  drainSeconds: integer(0, 86_400)
    .default(60)
    .describe('Longest wait for open requests before a server is decommissioned.'),
  deletionProtection: deletionProtection(),
  deletionPolicy: z
    .enum(['Terminate', 'Retain'])
    .default('Terminate')
    .describe('What deleting this object does to the servers.'),
  suspend: suspend(),
});

const generation = z.object({
  revision: revisionHash().describe('Template revision.'),
  role: z
    .enum(['Active', 'Candidate', 'Retained'])
    .describe('Serves, is being rolled out, or is kept to go back.'),
  replicas: count(1000).describe('Servers of it.'),
  inServiceReplicas: count(1000).describe('Servers of it that get traffic.'),
  retainedUntil: time().optional().describe('When the retained servers go.'),
});

const answers = z.object({
  requests: manifold().describe('Requests answered.'),
  failures: manifold().describe('Of these, answers with 5xx and broken ones.'),
});

const watch = z.object({
  time: time().describe('Counted until then.'),
  new: answers.describe('By servers of the new revision.'),
  old: answers.describe('By all others.'),
});

const updateProgress = z
  .object({
    revision: revisionHash().describe('Revision that is rolled out.'),
    startTime: time().describe('When it began.'),
    progressTime: time().describe('When it last got further.'),
    available: count(1000).describe('Servers of it that serve.'),
    step: integer(0, 20).describe('Steps that are behind it.'),
    stepTime: time().optional().describe('When the servers of the present step were all in service.'),
    failedServers: setOf(label(), 64).describe('New servers that failed.'),
    watch: watch.optional().describe('What load balancers saw servers answer since the present step began.'),
    failure: text(512).optional().describe('Why it has failed; unset while it has not.'),
  })
  .describe('The update under way, or the one that failed.');

const failing = z.object({
  server: label().describe('Server.'),
  reason: text(64).describe('How it is.'),
  since: time().describe('Since when.'),
});

const removal = z.object({
  time: time().describe('When it was decided.'),
  count: count(1000).describe('Servers.'),
});

const measured = z.object({
  name: label().describe('Metric.'),
  voters: count(1000).describe('Servers that gave a number for it.'),
  average: text(32).optional().describe('Average of their numbers.'),
  problem: text(512).optional().describe('Why numbers are missing, and what to do.'),
});

const scale = z
  .object({
    replicas: members(0).describe('Wanted servers.'),
    fromReplicas: members(0).describe('Wanted servers before.'),
    cause: z.enum(['Person', 'Votes', 'Schedule']).describe('Who wanted it; Person is anybody but this.'),
    written: z.boolean().describe('It stands in `spec.replicas`.'),
    observedGeneration: generationNumber()
      .exactOptional()
      .describe('Generation of the spec it was decided on; writing it and taking that back are two more.'),
    overruled: listOf(time(), 8).describe('When somebody else overruled the last decisions.'),
  })
  .describe('The last resize.');

const status = statusOf({
  replicas: count(1000).optional().describe('Servers that exist, retained ones not counted.'),
  operationalReplicas: count(1000).optional().describe('Servers that are Operational.'),
  bootingReplicas: count(1000).optional().describe('Servers that are Pending or Booting.'),
  strandedReplicas: count(1000).optional().describe('Servers that are Stranded.'),
  updatedReplicas: count(1000).optional().describe('Servers on the wanted revision.'),
  retainedReplicas: count(1000).optional().describe('Servers kept to go back.'),
  selector: text(1024).optional().describe('Label selector of the servers, for autoscalers.'),
  generations: mapBy(['revision'], generation, 8).optional().describe('Servers by revision.'),
  activeRevision: revisionHash().optional().describe('The last revision that all servers ran; the way back.'),
  update: updateProgress.optional(),
  failing: mapBy(['server'], failing, 100).optional().describe('Servers that are not well, oldest first.'),
  automaticRemovals: listOf(removal, 32)
    .optional()
    .describe('Servers removed by nobody in person during the last ten minutes.'),
  bounds: z
    .object({
      minReplicas: members(0).describe('Floor in force.'),
      maxReplicas: members(1).describe('Ceiling in force.'),
      schedule: label().optional().describe('Schedule they come from.'),
    })
    .optional()
    .describe('Bounds in force.'),
  votes: z
    .object({
      grow: count(1000).describe('Voters that want more servers.'),
      shrink: count(1000).describe('Voters that want fewer servers.'),
      none: count(1000).describe('Voters that want no change.'),
      stale: count(1000).describe('Voters whose numbers are too old to count.'),
      lastDecision: z.enum(['Grow', 'Shrink', 'Hold']).optional().describe('Outcome of the newest ballot.'),
      lastDecisionTime: time().optional().describe('When it was taken.'),
      metrics: mapBy(['name'], measured, 8).optional().describe('What they voted on.'),
    })
    .optional()
    .describe('The newest ballot.'),
  lastScaleTime: time().optional().describe('Last resize.'),
  scale: scale.optional(),
});

export const serverArrayKind = defineKind({
  kind: 'ServerArray',
  plural: 'serverarrays',
  short: 'rla',
  scope: 'Namespaced',
  categories: userCategories,
  maxNameLength: 52,
  description: 'Equal servers, as many as wanted, healthy and up to date.',
  spec,
  status,
  columns: [
    { name: 'Desired', type: 'integer', jsonPath: '.spec.replicas' },
    { name: 'Operational', type: 'integer', jsonPath: '.status.operationalReplicas' },
    { name: 'Booting', type: 'integer', jsonPath: '.status.bootingReplicas' },
    { name: 'Stranded', type: 'integer', jsonPath: '.status.strandedReplicas', priority: 1 },
    { name: 'Min', type: 'integer', jsonPath: '.status.bounds.minReplicas', priority: 1 },
    { name: 'Max', type: 'integer', jsonPath: '.status.bounds.maxReplicas', priority: 1 },
    reasonColumn('Ready'),
    ageColumn,
  ],
  scale: ['.spec.replicas', '.status.replicas', '.status.selector'],
});

export type ServerArraySpec = SpecOf<typeof serverArrayKind>;
export type ServerArrayStatus = StatusOf<typeof serverArrayKind>;
export type ServerArray = KubeObject<ServerArraySpec, ServerArrayStatus>;
