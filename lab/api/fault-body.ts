/** Fault rules as JSON: checked by hand, so that a typing error is told and not taken for another fault. */
import { CloudError } from '../world/cloud-error.ts';
import type { FaultRule } from '../world/model.ts';

type Field = 'number' | 'string';
interface Shape {
  readonly required: Readonly<Record<string, Field>>;
  readonly optional?: Readonly<Record<string, Field>>;
}

const SHAPES: Readonly<Record<FaultRule['kind'], Shape>> = {
  throttle: { required: { scale: 'number' } },
  'no-capacity': { required: { type: 'string', zone: 'string', left: 'number' } },
  'stale-reads': { required: { p50Ms: 'number', p99Ms: 'number', seed: 'number' } },
  'zone-outage': { required: { zone: 'string' } },
  slow: { required: { action: 'string', delayMs: 'number' }, optional: { times: 'number' } },
  refuse: { required: { action: 'string', code: 'string', status: 'number' }, optional: { times: 'number' } },
  'drop-answer': { required: { action: 'string' }, optional: { times: 'number' } },
  'fail-after-commit': { required: { action: 'string' }, optional: { times: 'number' } },
};

/** @throws CloudError InvalidFault with what is wrong */
export function readFaultRule(body: unknown): FaultRule {
  const fields = asObject(body);
  const kind = String(fields['kind']);
  const shape = Object.hasOwn(SHAPES, kind) ? SHAPES[kind as FaultRule['kind']] : undefined;
  if (!shape) throw invalid(`kind must be one of ${Object.keys(SHAPES).join(', ')}`);
  const known: Readonly<Record<string, Field>> = { kind: 'string', ...shape.required, ...shape.optional };
  for (const [name, value] of Object.entries(fields)) {
    const field = known[name];
    if (!field) throw invalid(`${kind} has no field ${name}`);
    if (typeof value !== field || (typeof value === 'number' && !(value >= 0))) {
      throw invalid(`${name} must be a ${field}${field === 'number' ? ' of zero or more' : ''}`);
    }
  }
  const missing = Object.keys(shape.required).find((name) => !(name in fields));
  if (missing) throw invalid(`${kind} needs ${missing}`);
  return fields as unknown as FaultRule;
}

/** @throws CloudError InvalidFault */
export function asObject(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the body must be a JSON object');
  return body as Readonly<Record<string, unknown>>;
}

function invalid(message: string): CloudError {
  return new CloudError('InvalidRequest', message);
}
