/** MaxResults and NextToken of the Describe calls. */
import { CloudError } from '../../world/cloud-error.ts';
import { invalidValue, type QueryParams } from '../query-params.ts';

export interface Page<R> {
  readonly records: readonly R[];
  /** Present when there is more. */
  readonly nextToken?: string;
}

/** Bounds of MaxResults. */
export interface PageLimits {
  readonly min: number;
  readonly max: number;
}

/** Where a page ended: the record's id, and its position in case that record is gone by the next call. */
interface Mark {
  readonly id: string;
  readonly position: number;
}

/**
 * The page a call asks for; everything when it names no MaxResults and no NextToken. Records must come in the same
 * order each time.
 * @throws CloudError InvalidParameterValue
 */
export function paginate<R extends { readonly id: string }>(
  params: QueryParams,
  records: readonly R[],
  { min, max }: PageLimits,
): Page<R> {
  const asked = params.integer('MaxResults');
  const token = params.string('NextToken');
  if (asked !== undefined && (asked < min || asked > max)) {
    throw invalidValue(String(asked), 'maxResults', `Expecting a value between ${min} and ${max}.`);
  }
  const start = token ? positionAfter(records, readToken(token)) : 0;
  const size = asked ?? (token ? max : records.length);
  const page = records.slice(start, start + size);
  const last = page.at(-1);
  if (!last || start + size >= records.length) return { records: page };
  return { records: page, nextToken: writeToken({ id: last.id, position: start + size }) };
}

function positionAfter(records: readonly { readonly id: string }[], mark: Mark): number {
  const found = records.findIndex((record) => record.id === mark.id);
  return found < 0 ? mark.position : found + 1;
}

function writeToken(mark: Mark): string {
  return Buffer.from(JSON.stringify(mark)).toString('base64url');
}

function readToken(token: string): Mark {
  try {
    const mark = JSON.parse(Buffer.from(token, 'base64url').toString()) as Partial<Mark>;
    if (typeof mark.id === 'string' && typeof mark.position === 'number')
      return { id: mark.id, position: mark.position };
  } catch {
    // Not ours: refused below, as any other text is.
  }
  throw new CloudError('InvalidParameterValue', 'Unable to parse pagination token');
}
