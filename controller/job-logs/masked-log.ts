/** Reads a job's log from its host with the secrets hidden, and cuts the end that people see first. */

import type { Host, Shell } from '../shell/port.ts';
import { createMask } from './mask.ts';

/** One job's part of a server's log. */
export interface LogPart {
  readonly host: Host;
  readonly jobID: string;
  /** Bytes the host has of it. */
  readonly logBytes: number;
  /** Still running: the last line may be cut in the middle of a secret, so it waits. */
  readonly isLive: boolean;
  /** Values to hide; undefined when nobody knows any more what was secret. */
  readonly secrets: readonly string[] | undefined;
}

const chunkBytes = 256 * 1024;
/** Of a longer log the middle is left out: one step may not fill the controller's memory. */
const headBytes = 256 * 1024;
const tailBytes = 1536 * 1024;
const tailLimit = 2048;

/** Cuts are made between lines only, so that no secret is cut. Fails as Shell does. */
export async function readMasked(shell: Shell, part: LogPart): Promise<Buffer> {
  const { secrets, logBytes, isLive } = part;
  if (secrets === undefined) {
    return Buffer.from(
      `(${logBytes} bytes stay on the host: the Secrets that say what to hide have changed)\n`,
    );
  }
  const mask = createMask(secrets);
  const hide = (bytes: Buffer) => {
    const stream = mask.stream();
    return Buffer.concat([stream.push(bytes), stream.end()]);
  };
  if (logBytes <= headBytes + tailBytes) {
    const all = await read(shell, part, 0, logBytes);
    return hide(isLive ? upToLastLine(all) : all);
  }
  const head = upToLastLine(await read(shell, part, 0, headBytes));
  const end = await read(shell, part, logBytes - tailBytes, logBytes);
  const tail = end.subarray(end.indexOf('\n') + 1);
  const note = Buffer.from(`... ${logBytes - head.length - tail.length} bytes left out ...\n`);
  return Buffer.concat([hide(head), note, hide(isLive ? upToLastLine(tail) : tail)]);
}

/** At most 2 KiB, whole lines where possible, without escape sequences and other control characters. */
export function tailOf(body: Buffer): string {
  const text = body
    .toString('utf8')
    .replace(/[^\P{Cc}\n\t]\[[0-9;?]*[A-Za-z]/gu, '')
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .trimEnd();
  const end = text.slice(-tailLimit);
  const line = end.indexOf('\n');
  return end.length === text.length || line === -1 ? end : end.slice(line + 1);
}

async function read(shell: Shell, part: LogPart, from: number, to: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let at = from;
  while (at < to) {
    const chunk = await shell.readLog(part.host, part.jobID, at, Math.min(chunkBytes, to - at));
    if (chunk.length === 0) break;
    chunks.push(chunk);
    at += chunk.length;
  }
  return Buffer.concat(chunks);
}

function upToLastLine(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
}
