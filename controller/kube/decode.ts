/** Checks objects on their way in against the kind's schema, fills defaults, and keeps what does not fit. */
import type { z } from 'zod';
import type { Kind } from '../api/kind.ts';
import type { AnyObject } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';

/** An object as it was read; with a `problem` its fields may not be what their types say. */
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
  const { spec, status } = parse(resource, raw);
  if (!spec.success) return { object: raw, problem: describeProblem('spec', spec.error) };
  if (status?.success === false) return { object: raw, problem: describeProblem('status', status.error) };
  return { object: { ...raw, spec: spec.data, ...(status === undefined ? {} : { status: status.data }) } };
}

/** Each schema by itself: putting both into one is dearer than the check, and would be done for every object. */
function parse({ options }: Kind<unknown, unknown>, object: AnyObject) {
  const status = fieldOf(object, 'status');
  return {
    spec: options.spec.safeParse(fieldOf(object, 'spec')),
    status: status === undefined ? undefined : options.status.safeParse(status),
  };
}

/** Whether the resource is one of our kinds, which have schemas. */
export function isKind(resource: Resource): resource is Kind<unknown, unknown> {
  return 'options' in resource;
}

function fieldOf(object: AnyObject, name: 'spec' | 'status'): unknown {
  return (object as unknown as Readonly<Record<string, unknown>>)[name];
}

function describeProblem(field: 'spec' | 'status', error: z.ZodError): string {
  const [first, ...others] = error.issues;
  if (first === undefined) return 'does not fit the schema';
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${[field, ...first.path].join('.')}: ${first.message}${more}`;
}
