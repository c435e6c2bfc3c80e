/** Label and field selectors as the API server reads them: equality, existence and sets. */
import type { AnyObject } from '../../controller/api/meta.ts';
import type { ListOptions } from '../../controller/kube/port.ts';

/** Whether a list with `options` would return the object. */
export function selects(options: ListOptions, object: AnyObject): boolean {
  const { namespace, labels = {} } = object.metadata;
  if (options.namespace !== undefined && options.namespace !== namespace) return false;
  const byLabel = requirements(options.labelSelector).every((text) => labelMatches(text, labels));
  return byLabel && requirements(options.fieldSelector).every((text) => fieldMatches(text, object));
}

/** Splits at commas that are not inside parentheses. */
function requirements(selector: string | undefined): readonly string[] {
  return selector === undefined || selector === ''
    ? []
    : selector.split(/,(?![^(]*\))/).map((part) => part.trim());
}

function labelMatches(text: string, labels: Readonly<Record<string, string>>): boolean {
  const set = /^(\S+) (in|notin) \((.*)\)$/.exec(text);
  if (set !== null) {
    const [, name = '', operator, values = ''] = set;
    const isIn = values.split(',').some((value) => value.trim() === labels[name]);
    return operator === 'in' ? isIn : !isIn;
  }
  const pair = /^([^!=]+)(!=|==?)(.*)$/.exec(text);
  if (pair === null) return text.startsWith('!') ? !(text.slice(1) in labels) : text in labels;
  const [, name = '', operator, value] = pair;
  return operator === '!=' ? labels[name] !== value : labels[name] === value;
}

function fieldMatches(text: string, object: AnyObject): boolean {
  const [, path = '', operator, value] = /^([^!=]+)(!=|==?)(.*)$/.exec(text) ?? [];
  let found: unknown = object;
  for (const name of path.split('.'))
    found = (found as Readonly<Record<string, unknown>> | undefined)?.[name];
  const actual = typeof found === 'string' ? found : '';
  return operator === '!=' ? actual !== value : actual === value;
}
