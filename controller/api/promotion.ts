/** Promotion: one change of primary, asked for by a person or by the controller; its status is the write-ahead log. */
import * as z from 'zod';
import { hasCondition, messageLimit } from './conditions.ts';
import { immutable, integer, label, mapBy, ref, text, time } from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, span, statusOf } from './parts.ts';

const spec = immutable(
  z.object({
    clusterRef: ref().describe('MySQLCluster.'),
    target: label().exactOptional().describe('Server to promote; the best candidate when unset.'),
    mode: z
      .enum(['Graceful', 'Forced'])
      .default('Graceful')
      .describe('Graceful needs a living old primary; Forced fences it first.'),
    dataLoss: z
      .enum(['Refuse', 'Accept'])
      .default('Refuse')
      .describe('Accept promotes even when acknowledged writes may be lost.'),
    trigger: z
      .enum(['Manual', 'Automatic'])
      .default('Manual')
      .describe('Automatic is what the controller writes.'),
    expectedPrimary: label().exactOptional().describe('Refused unless this is still the primary.'),
    startDeadlineSeconds: integer(10, 86_400)
      .default(300)
      .describe('Refused when not begun within this time, so that a stale request never fires.'),
    note: text(messageLimit).exactOptional().describe('Why; kept for the record.'),
  }),
  'spec is immutable; create a new object',
);

/** Characters a GTID set may have in the record of a change; there are up to ten of them. */
export const recordedGtidsLimit = 32_768;
const aboutBase =
  '`base - A + B` is what `status.durability.baseGTIDs` of the cluster was then, without A and with B.';

const step = z.object({
  name: text(63).describe('Step.'),
  state: z
    .enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Skipped'])
    .optional()
    .describe('How far it is.'),
  message: text(messageLimit).optional().describe('What was found or done.'),
  ...span,
});

const frozenReplica = z.object({
  server: label().describe('Replica.'),
  received: text(recordedGtidsLimit).describe(
    `GTID set it had received when its receiver was stopped; ${aboutBase}`,
  ),
  restarted: z
    .boolean()
    .optional()
    .describe(
      'It was restarted, stopped by hand or told to follow nobody, and may have forgotten what it acknowledged.',
    ),
  time: time().describe('When it was stopped.'),
});

const stopProof = z.object({
  type: z
    .enum(['Starved', 'ProcessGone', 'InstanceStopped', 'Closed'])
    .describe('Why the old primary cannot acknowledge another write.'),
  message: text(messageLimit).describe('Evidence.'),
  time: time().describe('When it was found.'),
});

const givenUp = z.object({
  server: label().describe('The new primary, which received it.'),
  gtids: text(recordedGtidsLimit).describe('GTID set that it received and could not apply.'),
  folder: text(255).describe('Where copies of its relay logs are, on its host.'),
});

const status = statusOf({
  epoch: count(2_147_483_647).optional().describe('Epoch this promotion makes.'),
  oldPrimary: label().optional().describe('Server that took writes before.'),
  newPrimary: label().optional().describe('Server that takes writes after.'),
  cause: text(128).optional().describe('What was found, e.g. DeadHost.'),
  currentStep: text(63).optional().describe('Step that runs now.'),
  steps: mapBy(['name'], step, 24).optional().describe('All steps, in order.'),
  frozen: mapBy(['server'], frozenReplica, 18).optional().describe('Replicas that stopped receiving.'),
  proofs: mapBy(['type'], stopProof, 5).optional().describe('Proofs that the old primary has stopped.'),
  targetGTIDs: text(recordedGtidsLimit)
    .optional()
    .describe(`GTID set the new primary must hold; ${aboutBase}`),
  givenUp: givenUp
    .optional()
    .describe(
      'What was given up although it had been received: loss was accepted, and its applier had stopped.',
    ),
  ...span,
  lastWriteTime: time().optional().describe('Last write known to be good on the old primary.'),
  detectedTime: time().optional().describe('When the old primary was declared dead.'),
  fencedTime: time().optional().describe('When it was proven to have stopped.'),
  promotedTime: time().optional().describe('When the new primary took writes.'),
  routedTime: time()
    .optional()
    .describe(
      'When all proxies led to it and the change of its name was accepted; unset when some were not.',
    ),
  redundantTime: time().optional().describe('When it had a healthy replica again.'),
  writeOutageMilliseconds: count(2_147_483_647)
    .optional()
    .describe(
      'Time without writes: from lastWriteTime, or half a heartbeat (250 ms) later where the primary died, to the first good write.',
    ),
  dataLoss: z
    .enum(['None', 'Possible', 'Known'])
    .optional()
    .describe('Whether acknowledged writes were lost.'),
});

export const promotionKind = defineKind({
  kind: 'Promotion',
  plural: 'promotions',
  short: 'rlp',
  scope: 'Namespaced',
  categories: userCategories,
  description: 'One change of primary, with every step and time.',
  spec,
  status,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.clusterRef.name' },
    { name: 'Trigger', type: 'string', jsonPath: '.spec.trigger' },
    { name: 'From', type: 'string', jsonPath: '.status.oldPrimary' },
    { name: 'To', type: 'string', jsonPath: '.status.newPrimary' },
    reasonColumn('Succeeded'),
    { name: 'Outage-ms', type: 'integer', jsonPath: '.status.writeOutageMilliseconds' },
    { name: 'Step', type: 'string', jsonPath: '.status.currentStep', priority: 1 },
    ageColumn,
  ],
});

export type PromotionSpec = SpecOf<typeof promotionKind>;
export type PromotionStatus = StatusOf<typeof promotionKind>;
export type Promotion = KubeObject<PromotionSpec, PromotionStatus>;

/** It has ended, well or not. */
export function isFinished(promotion: Pick<Promotion, 'status'>): boolean {
  return hasCondition(promotion.status, 'Finished');
}

/** It has ended, and the new primary leads. */
export function hasSucceeded(promotion: Pick<Promotion, 'status'>): boolean {
  return hasCondition(promotion.status, 'Succeeded');
}

/** A person asked for it, and its old primary hands over. A dead one is never waited for, whatever the mode says. */
export function isPlanned(promotion: Pick<Promotion, 'spec'>): boolean {
  return promotion.spec.mode === 'Graceful' && promotion.spec.trigger === 'Manual';
}
