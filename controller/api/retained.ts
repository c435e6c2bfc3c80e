/** What is remembered of a machine that was let go: the tag that keeps it, and the host keys it will be known by again. */
import * as z from 'zod';
import { setOf, text } from './fields.ts';

/** On a machine: the Server it belonged to, as namespace/name; empty once somebody has adopted it. */
export const retainedTag = 'ridgeline:retained';
/** On a machine of a cluster that was let go: namespace/name of the cluster, and its part. */
export const memberTag = 'ridgeline:member';
/** How the part of whoever holds every acknowledged write is called there. */
export const primaryPart = 'primary';

/** Where the controller keeps its record of a machine that was let go: nobody but its own identity writes there. */
export function retainedKey(prefix: string, instanceID: string): string {
  return `${prefix}retained/${instanceID}.json`;
}

/** Parses such a record. */
export const retainedRecord = z.object({
  server: text(512),
  sshHostKeys: setOf(text(128), 8),
});

export type RetainedRecord = z.output<typeof retainedRecord>;
