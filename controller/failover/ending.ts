/** How a change of primary ends: what the condition says, and what events and metrics tell of it. */
import { findCondition } from '../api/conditions.ts';
import { cutText } from '../base/text.ts';
import type { Run } from './run.ts';
import { stopOld } from './stop-old.ts';

/**
 * Begins to stop the old primary, unless it was closed in good order and goes on as a replica. Nobody waits for it before
 * the end; whoever began it may have died, so that it is begun anew in every pass.
 */
export function stopOldAside(run: Run): void {
  const { proofs = [] } = run.journal.status;
  if (!proofs.some(({ type }) => type === 'Closed')) run.aside.push(stopOld(run).then(() => undefined));
}

/** The new primary serves. */
export async function endChange(run: Run): Promise<void> {
  const { journal, ports } = run;
  await Promise.all(run.aside);
  ports.failpoints.hit('failover.before-finish');
  const failed = (journal.status.steps ?? []).filter(({ state }) => state === 'Failed');
  const warnings = failed.map(({ name, message }) => ` ${name}: ${message}`).join('');
  const loss =
    journal.status.dataLoss === 'None'
      ? 'No acknowledged write was lost.'
      : 'Acknowledged writes may be lost.';
  const { server = '', gtids = '', folder = '' } = journal.status.givenUp ?? {};
  const given =
    server === ''
      ? ''
      : ` ${server} gave up ${cutText(gtids, 160)}, which it received and could not apply: kept there in ${folder}.`;
  const serves = `${journal.cluster.status?.primary?.server} takes writes.`;
  const reason = failed.length === 0 ? 'Completed' : 'CompletedWithWarnings';
  await journal.finish(reason, `Epoch ${run.epoch}: ${serves} ${loss}${given}${warnings}`);
}

/** Once, when it has ended. */
export function tellEnding({ ports, journal }: Run): void {
  const { promotion } = journal;
  const { status, reason, message } = findCondition(promotion.status, 'Succeeded') ?? {};
  const { metrics, events } = ports;
  metrics.total.inc({ trigger: promotion.spec.trigger, result: reason ?? '' });
  const { steps = [], writeOutageMilliseconds, ...whole } = promotion.status ?? {};
  for (const step of steps) observe(metrics.seconds.labels(step.name), step);
  observe(metrics.seconds.labels('All'), whole);
  if (writeOutageMilliseconds !== undefined) metrics.outageSeconds.observe(writeOutageMilliseconds / 1000);
  if (status === 'True') events.normal(promotion, 'PromotionCompleted', message ?? '');
  else events.warning(promotion, 'PromotionFailed', message ?? '');
}

interface Span {
  readonly startTime?: string | undefined;
  readonly completionTime?: string | undefined;
}

function observe(histogram: { observe(value: number): void }, { startTime, completionTime }: Span): void {
  if (startTime === undefined || completionTime === undefined) return;
  histogram.observe((Date.parse(completionTime) - Date.parse(startTime)) / 1000);
}
