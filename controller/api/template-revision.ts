/** A template revision: what a ServerTemplate meant at one moment, frozen as the data of a ControllerRevision. */
import * as z from 'zod';
import { integer, label, sha256, text } from './fields.ts';
import type { Frozen } from './kind.ts';
import { imageID, inputs, securityGroupIDs } from './parts.ts';
import { scriptBody } from './script.ts';
import { health, instance } from './server-template.ts';

/** A script with its text; named after the Script object it was read from. */
const frozenScript = z.object({
  name: label(),
  sha256: sha256(),
  text: text(131_072),
  ...scriptBody,
});

const frozenStep = z.object({
  name: label(),
  /** Name of an entry of `scripts`. */
  script: label(),
});

/** Parses `ControllerRevision.data`; anything in it decides what a new server is, nothing else does. */
export const templateRevision = z.object({
  imageID: imageID(),
  instance,
  securityGroupIDs: securityGroupIDs(),
  scripts: z.array(frozenScript),
  boot: z.array(frozenStep),
  operations: z.array(frozenStep),
  decommission: z.array(frozenStep),
  inputs: inputs(),
  health,
  bootDeadlineSeconds: integer(60, 86_400),
});

export type TemplateRevision = Frozen<z.output<typeof templateRevision>>;
export type FrozenScript = Frozen<z.output<typeof frozenScript>>;
export type FrozenStep = Frozen<z.output<typeof frozenStep>>;

const known = new WeakMap<object, TemplateRevision>();

/** What a stored revision says, parsed once for each copy of it; undefined when it is none of ours. */
export function readTemplateRevision(data: unknown): TemplateRevision | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const before = known.get(data);
  if (before !== undefined) return before;
  const parsed = templateRevision.safeParse(data);
  if (parsed.success) known.set(data, parsed.data);
  return parsed.data;
}

/** Label on the ControllerRevision with the name of its template. */
export const templateLabel = 'ridgeline.dev/template';

/** Name of the ControllerRevision of a template at a revision hash. */
export function revisionName(template: string, hash: string): string {
  return `${template}-${hash}`;
}
