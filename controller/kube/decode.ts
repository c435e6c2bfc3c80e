/** Checks objects on their way in against the kind's schema, fills defaults, and keeps what does not fit. */
import { z } from 'zod';
import type { Kind } from '../api/kind.ts';
import type { AnyObject } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';

export interface Decoded<O extends AnyObject> {
  /** Defaults filled and unknown fields dropped; exactly as received when `problem` is set. */
  readonly object: O;
  /** Why the object does not fit the schema, in one line. */
  readonly problem?: string;
}

/**
 * Never throws. Built-in resources pass unchecked. `metadata.managedFields` is dropped: nobody reads it, and it
 * is often half of an object's size.
 */
export function decode<O extends AnyObject>(resource: Resource<O>, received: O): Decoded<O> {
  const metadata: O['metadata'] & { managedFields?: unknown } = { ...received.metadata };
  delete metadata.managedFields;
  const raw = { ...received, metadata };
  if (!isKind(resource)) return { object: raw };
  const { spec, status } = resource.options;
  const parsed = z
    .object({ spec, status: status.optional() })
    .safeParse({ spec: fieldOf(raw, 'spec'), status: fieldOf(raw, 'status') });
  if (!parsed.success) return { object: raw, problem: describeProblem(parsed.error) };
  const { status: parsedStatus, ...rest } = parsed.data;
  return { object: { ...raw, ...rest, ...(parsedStatus === undefined ? {} : { status: parsedStatus }) } };
}

/** Whether the resource is one of our kinds, which have schemas. */
export function isKind(resource: Resource): resource is Kind<unknown, unknown> {
  return 'options' in resource;
}

function fieldOf(object: AnyObject, name: 'spec' | 'status'): unknown {
  return (object as unknown as Readonly<Record<string, unknown>>)[name];
}

function describeProblem(error: z.ZodError): string {
  const [first, ...others] = error.issues;
  if (first === undefined) return 'does not fit the schema';
  const more = others.length === 0 ? '' : ` (and ${String(others.length)} more)`;
  return `${first.path.join('.')}: ${first.message}${more}`;
}
