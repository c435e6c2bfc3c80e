/** The memory of a process as the kernel counts it. */
import { readFileSync } from 'node:fs';

/** In megabytes of a million bytes. */
export interface Memory {
  readonly resident: number;
  /** The most it ever was. */
  readonly peak: number;
  /** Heap, buffers, stacks: what only this process holds. */
  readonly own: number;
  /** Pages of the program's files, which the kernel can drop and share. */
  readonly files: number;
}

/** @throws when the process has ended. */
export function readMemory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string) => {
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    return Math.round((Number(kibibytes) * 1024) / 1e6);
  };
  return {
    resident: megabytes('VmRSS'),
    peak: megabytes('VmHWM'),
    own: megabytes('RssAnon'),
    files: megabytes('RssFile'),
  };
}
