/** Describe filters: names and values (`*` and `?` are wildcards), all names must match, one value of each is enough. */
import { CloudError } from '../../world/cloud-error.ts';
import type { Tags } from '../../world/model.ts';
import type { QueryParams } from '../query-params.ts';

const MAX_VALUES = 200;

/** How to read the values of a filter from a record. */
export type Fields<R> = Readonly<Record<string, (record: R) => readonly (string | undefined)[]>>;

/**
 * Keeps the records that match every `Filter.n`. `tag:<key>` and `tag-key` work for all tagged records.
 * @throws CloudError InvalidParameterValue for an unknown name, FilterLimitExceeded above 200 values
 */
export function applyFilters<R extends { readonly tags: Tags }>(
  params: QueryParams,
  records: readonly R[],
  fields: Fields<R>,
): readonly R[] {
  const tests = params.structs('Filter').map((filter) => {
    const read = reader(filter.required('Name'), fields);
    const matches = matcher(filter.list('Value'));
    return (record: R) => read(record).some((value) => value !== undefined && matches(value));
  });
  return tests.length === 0 ? records : records.filter((record) => tests.every((test) => test(record)));
}

function reader<R extends { readonly tags: Tags }>(
  name: string,
  fields: Fields<R>,
): (record: R) => readonly (string | undefined)[] {
  if (name.startsWith('tag:')) return (record) => [record.tags[name.slice('tag:'.length)]];
  if (name === 'tag-key') return (record) => Object.keys(record.tags);
  const field = fields[name];
  if (!field) throw new CloudError('InvalidParameterValue', `The filter '${name}' is invalid`);
  return field;
}

function matcher(values: readonly string[]): (value: string) => boolean {
  if (values.length > MAX_VALUES) {
    throw new CloudError(
      'FilterLimitExceeded',
      `The maximum number of filter values specified on a single call is ${MAX_VALUES}`,
    );
  }
  const literal = new Set(values.filter((value) => !/[*?\\]/.test(value)));
  const patterns = values.filter((value) => !literal.has(value)).map(wildcard);
  return (value) => literal.has(value) || patterns.some((pattern) => pattern.test(value));
}

/** `*` any text, `?` one character, `\` takes the next character as it is. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|([*?])|([.+^${}()|[\]\\])/gs,
    (_, escaped?: string, wild?: string, special?: string) => {
      if (wild) return wild === '*' ? '.*' : '.';
      const literal = escaped ?? special ?? '';
      return /\w/.test(literal) ? literal : `\\${literal}`;
    },
  );
  return new RegExp(`^${source}$`, 's');
}
