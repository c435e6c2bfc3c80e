/** Reads a watch stream: lines over chunk borders, and silence as an error. */
import type { Millis } from '../base/clock.ts';

/** An etcd object is at most a few MiB; more than this without a line break is not a watch stream. */
const lineLimit = 64 * 1024 * 1024;

/**
 * The complete, non-empty lines of a UTF-8 stream. Throws when no byte came for `idle` milliseconds, when the
 * stream ends within a line, and when a line is absurdly long. Leaving the loop destroys the stream.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, idle: Millis): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of withinSilence(chunks, idle)) {
    const [head = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    parts.push(head);
    length += head.length;
    if (length > lineLimit) throw new Error('the stream has no line breaks');
    for (const next of others) {
      const line = parts.join('');
      parts = [next];
      length = next.length;
      if (line.trim() !== '') yield line;
    }
  }
  if (parts.join('').trim() !== '') throw new Error('the stream ended within a line');
}

async function* withinSilence<T>(source: AsyncIterable<T>, idle: Millis): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const result = await nextWithin(iterator, idle);
      if (result.done === true) {
        isDone = true;
        return;
      }
      yield result.value;
    }
  } finally {
    // Not awaited: after a silence the iterator is still inside `next` and would queue `return` behind it.
    if (!isDone) void iterator.return?.();
  }
}

async function nextWithin<T>(iterator: AsyncIterator<T>, idle: Millis): Promise<IteratorResult<T>> {
  const next = iterator.next();
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte for ${idle / 1000} s`)), idle);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}
