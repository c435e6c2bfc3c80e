/** A finished Promotion as the lines of a timeline. Pure. */

/** The part of a Promotion that is read. */
export interface FinishedPromotion {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly oldPrimary?: string | undefined;
    readonly newPrimary?: string | undefined;
    readonly cause?: string | undefined;
    readonly dataLoss?: string | undefined;
    readonly writeOutageMilliseconds?: number | undefined;
    readonly steps?: readonly Step[] | undefined;
    readonly conditions?:
      | readonly { readonly type: string; readonly status: string; readonly reason: string }[]
      | undefined;
  };
}

interface Step {
  readonly name: string;
  readonly state?: string | undefined;
  readonly message?: string | undefined;
  readonly startTime?: string | undefined;
  readonly completionTime?: string | undefined;
}

const width = 150;

/** One line per step: when it ended, counted from `origin`, and what it found or did. */
export function timelineOf({ metadata, status = {} }: FinishedPromotion, origin: Date): string {
  const { oldPrimary = '?', newPrimary = '?', cause = '', steps = [], conditions = [] } = status;
  const ending = conditions.find(({ type }) => type === 'Succeeded')?.reason ?? 'Unknown';
  const title = `  promotion ${metadata.name}: ${oldPrimary} -> ${newPrimary}, ${cause}, ${ending}, data loss ${status.dataLoss ?? 'unknown'}`;
  return [title, ...steps.map((step) => stepLine(step, origin))].join('\n');
}

function stepLine({ name, state = 'Pending', message = '', completionTime }: Step, origin: Date): string {
  const seconds =
    completionTime === undefined ? Number.NaN : (Date.parse(completionTime) - origin.getTime()) / 1000;
  const when = Number.isNaN(seconds) ? '' : `+${seconds.toFixed(1)} s`;
  const line = `    ${when.padStart(8)}  ${name.padEnd(14)} ${state.padEnd(10)} ${message}`.trimEnd();
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
