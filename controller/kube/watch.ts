/** Turns the bytes of a watch into events; everything that is not an event becomes an AppError. */
import type { AnyObject } from '../api/meta.ts';
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { networkError, refusalError, type Status } from './errors.ts';
import type { WatchEvent } from './port.ts';
import { readLines } from './stream.ts';

/** `what` opens error messages: "watching servers". Ends when the server ends the stream. */
export async function* readWatch(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
  idle: Millis,
): AsyncGenerator<WatchEvent> {
  try {
    for await (const line of readLines(chunks, idle)) yield parseEvent(line, what);
  } catch (error) {
    throw error instanceof AppError ? error : networkError(what, error);
  }
}

function parseEvent(line: string, what: string): WatchEvent {
  const event = JSON.parse(line) as { readonly type?: string; readonly object?: AnyObject & Status };
  const { type, object } = event;
  if (type === 'ERROR') {
    const code = object?.code ?? 500;
    throw refusalError(what, { code, ...(object && { status: object }) });
  }
  const isKnown = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
  if (!isKnown || typeof object?.metadata?.resourceVersion !== 'string') {
    throw new AppError('kube.unavailable', `${what}: not a watch event: ${line.slice(0, 100)}`);
  }
  return { type, object };
}
