/** What clients did and were told, one event a line, as workloads record it and checkers read it. */
import { z } from 'zod';

const call = z.discriminatedUnion('action', [
  /** Inserts a row that nobody else inserts. */
  z.object({ action: z.literal('add'), value: z.string() }),
  z.object({ action: z.literal('write'), key: z.string(), value: z.string() }),
  z.object({ action: z.literal('read'), key: z.string() }),
  /** Writes `value` if the register holds `expected`. */
  z.object({ action: z.literal('swap'), key: z.string(), expected: z.string(), value: z.string() }),
]);

const event = z.object({
  /** A client; it does one thing at a time. */
  process: z.int(),
  /** `ok`: told that it happened. `fail`: it surely did not. `info`: nobody knows. */
  type: z.enum(['invoke', 'ok', 'fail', 'info']),
  /** Nanoseconds of one monotonic clock. */
  time: z.number(),
  /** What it does; on `invoke`. */
  call: call.exactOptional(),
  /** What a read found, null for nothing; on `ok`. */
  result: z.string().nullable().exactOptional(),
  /** Who answered, and in which epoch; on `ok`. */
  node: z.string().exactOptional(),
  epoch: z.int().exactOptional(),
});

export type Call = z.infer<typeof call>;
export type HistoryEvent = z.infer<typeof event>;

/** An invocation and what became of it. */
export interface Operation {
  readonly process: number;
  readonly call: Call;
  readonly outcome: 'ok' | 'fail' | 'info';
  readonly invoked: number;
  /** Infinity when nobody knows whether, and so when, it happened. */
  readonly completed: number;
  readonly result?: string | null;
  readonly node?: string;
  readonly epoch?: number;
}

export function formatEvent(one: HistoryEvent): string {
  return `${JSON.stringify(one)}\n`;
}

/** @throws when a line is no event. */
export function parseHistory(text: string): readonly HistoryEvent[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line, index) => {
    try {
      return event.parse(JSON.parse(line));
    } catch (error) {
      throw new Error(`line ${index + 1} of the history is no event: ${line}`, { cause: error });
    }
  });
}

/** Joins each invocation with its end; what never ended is `info`. In order of invocation. */
export function operationsOf(events: readonly HistoryEvent[]): readonly Operation[] {
  const open = new Map<number, HistoryEvent & { readonly call: Call }>();
  const operations: Operation[] = [];
  for (const one of events) {
    const began = open.get(one.process);
    if (one.type === 'invoke') {
      if (began !== undefined || one.call === undefined) {
        throw new Error(`process ${one.process} does two things at once, or nothing`);
      }
      open.set(one.process, { ...one, call: one.call });
    } else if (began === undefined) {
      throw new Error(`process ${one.process} ends what it has not begun`);
    } else {
      open.delete(one.process);
      operations.push(endedWith(began, one, one.type));
    }
  }
  for (const began of open.values()) operations.push(endedWith(began, began, 'info'));
  return operations.toSorted((left, right) => left.invoked - right.invoked);
}

function endedWith(
  { process, call: what, time }: HistoryEvent & { readonly call: Call },
  { time: ended, result, node, epoch }: HistoryEvent,
  outcome: Operation['outcome'],
): Operation {
  return {
    process,
    call: what,
    outcome,
    invoked: time,
    completed: outcome === 'info' ? Number.POSITIVE_INFINITY : ended,
    ...(result === undefined ? {} : { result }),
    ...(node === undefined ? {} : { node }),
    ...(epoch === undefined ? {} : { epoch }),
  };
}
