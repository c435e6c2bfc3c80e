/** From the kinds to their field reference in Markdown. */
import type { Schema } from './crd.ts';
import { schemaOf } from './crd.ts';
import { rulesKey } from './fields.ts';
import type { Kind } from './kind.ts';
import { passingConditions, reasons } from './reasons.ts';

type AnyKind = Kind<unknown, unknown>;

/** The whole reference, one chapter per kind, without a title. */
export function referenceOf(kinds: readonly AnyKind[]): string {
  return [overview(kinds), ...kinds.map(chapter), passing()].join('\n\n');
}

function overview(kinds: readonly AnyKind[]): string {
  return table(
    ['Kind', 'Short name', 'Full name', 'Scope', 'What it is'],
    kinds.map((kind) => [
      `[${kind.kind}](#${kind.kind.toLowerCase()})`,
      code(kind.options.short),
      code(`${kind.plural}.${kind.group}`),
      kind.scope,
      kind.options.description,
    ]),
  );
}

function chapter(kind: AnyKind): string {
  const spec = fields(schemaOf(kind.options.spec), '');
  const status = fields(schemaOf(kind.options.status), '').filter(
    ({ path }) => !path.startsWith('conditions['),
  );
  return [
    `## ${kind.kind}`,
    kind.options.description,
    '### Spec',
    table(
      ['Field', 'Type', 'Default', 'Rules', 'Meaning'],
      spec.map(({ path, schema, required }) => [
        code(path),
        typeOf(schema),
        defaultOf(schema),
        rulesOf(schema, required),
        schema.description ?? '',
      ]),
    ),
    '### Status',
    table(
      ['Field', 'Type', 'Meaning'],
      status.map(({ path, schema }) => [code(path), typeOf(schema), schema.description ?? '']),
    ),
    ...conditions(kind.kind),
  ].join('\n\n');
}

function conditions(kind: string): readonly string[] {
  const own = Object.entries(reasons).find(([name]) => name === kind)?.[1];
  if (own === undefined) return [];
  const rows = Object.entries(own).flatMap(([condition, meanings]) =>
    Object.entries(meanings as Readonly<Record<string, string>>).map(([reason, meaning]) => [
      code(condition),
      code(reason),
      meaning,
    ]),
  );
  return ['### Conditions', table(['Condition', 'Reason', 'Meaning'], rows)];
}

function passing(): string {
  const rows = Object.entries(passingConditions).map(([name, meaning]) => [code(name), meaning]);
  return ['## Conditions of every kind', table(['Condition, while True', 'Meaning'], rows)].join('\n\n');
}

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** Every field below `schema`, parents before children. References and keys are not taken apart. */
function fields(schema: Schema, prefix: string): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix + name;
    const field = { path, schema: property, required: schema.required?.includes(name) ?? false };
    if (isReference(property)) return [field];
    const { items } = property;
    return [field, ...(items ? fields(items, `${path}[].`) : fields(property, `${path}.`))];
  });
}

function isReference({ properties, 'x-kubernetes-map-type': mapType }: Schema): boolean {
  return (
    mapType === 'atomic' &&
    Object.keys(properties ?? {}).every((name) => ['name', 'key', 'namespace'].includes(name))
  );
}

function typeOf(schema: Schema): string {
  if (isReference(schema)) return `{${Object.keys(schema.properties ?? {}).join(', ')}}`;
  if (schema.items) return `list of ${typeOf(schema.items)}${listKind(schema)}`;
  if (schema.additionalProperties) return `map of ${typeOf(schema.additionalProperties)}`;
  if (schema.format === 'date-time') return 'time';
  return schema.enum?.map(code).join(' ') ?? schema.type;
}

function listKind(schema: Schema): string {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (keys) return ` by ${keys.join(' and ')}`;
  return schema['x-kubernetes-list-type'] === 'set' ? ', distinct' : '';
}

/** An object's default follows from those of its fields, so it is not repeated. */
function defaultOf(schema: Schema): string {
  const follows = schema.type === 'object' && !isReference(schema);
  return schema.default === undefined || follows ? '' : code(JSON.stringify(schema.default));
}

function rulesOf(schema: Schema, required: boolean): string {
  const { minimum, maximum, minItems, maxItems, maxLength, pattern } = schema;
  const own = schema[rulesKey] ?? [];
  const items = schema.items?.[rulesKey] ?? [];
  return [
    required && '**required**',
    minimum !== undefined && `${minimum} to ${maximum}`,
    minItems && `at least ${minItems}`,
    maxItems && `at most ${maxItems}`,
    maxLength && `at most ${maxLength} characters`,
    pattern && code(pattern),
    ...[...own, ...items].map(({ message, fieldPath }) =>
      fieldPath === undefined ? message : `${code(fieldPath.slice(1))} ${message}`,
    ),
  ]
    .filter((part) => typeof part === 'string')
    .join('; ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}
