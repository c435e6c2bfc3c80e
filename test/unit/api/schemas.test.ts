/** Every field of every kind is bounded and described, and what zod says reaches the CRD. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { crdOf, type Schema, schemaOf } from '../../../controller/api/crd.ts';
import {
  defaulted,
  immutable,
  integer,
  requiredWhen,
  rules,
  rulesKey,
  text,
  time,
} from '../../../controller/api/fields.ts';
import { kinds } from '../../../controller/api/index.ts';
import { reasons } from '../../../controller/api/reasons.ts';

interface Found {
  readonly path: string;
  readonly schema: Schema;
}

/** Every schema below and including `schema`. */
function walk(schema: Schema, path: string): readonly Found[] {
  const below = [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => walk(inner, `${path}.${name}`)),
    ...(schema.items ? walk(schema.items, `${path}[]`) : []),
    ...(schema.additionalProperties ? walk(schema.additionalProperties, `${path}{}`) : []),
  ];
  return [{ path, schema }, ...below];
}

const everything = kinds.flatMap((kind) => [
  ...walk(schemaOf(kind.options.spec), `${kind.kind}.spec`),
  ...walk(schemaOf(kind.options.status), `${kind.kind}.status`),
]);

function paths(wrong: (schema: Schema) => boolean): readonly string[] {
  return everything.filter(({ schema }) => wrong(schema)).map(({ path }) => path);
}

test('schemas are structural: one type each, and nothing that CRDs cannot hold', () => {
  expect(paths(({ type }) => !['object', 'array', 'string', 'integer', 'boolean'].includes(type))).toEqual(
    [],
  );
  const written = JSON.stringify(everything.map(({ schema }) => schema));
  expect(written).not.toMatch(/"(\$ref|anyOf|allOf|oneOf|not|const|propertyNames|\$schema)":/);
});

function isUnboundedText({ type, maxLength, enum: words, format }: Schema): boolean {
  return type === 'string' && (maxLength ?? words ?? format) === undefined;
}

test('every list, text, number and map is bounded', () => {
  expect(paths(({ type, maxItems }) => type === 'array' && maxItems === undefined)).toEqual([]);
  expect(
    paths(({ type, minimum, maximum }) => type === 'integer' && (minimum ?? maximum) === undefined),
  ).toEqual([]);
  expect(
    paths(({ additionalProperties, maxProperties }) => additionalProperties !== undefined && !maxProperties),
  ).toEqual([]);
  expect(paths(isUnboundedText)).toEqual([]);
});

test('every field is described, in a sentence', () => {
  const fields = everything.filter(({ path }) => path.split('.').length > 2 && !/[\]}]$/.test(path));
  const mute = fields.filter(({ schema }) => !schema.description?.match(/^[A-Z0-9].*\.$/s));
  expect(mute.map(({ path }) => path)).toEqual([]);
});

test('every list says how appliers share it', () => {
  expect(
    paths((schema) => schema.type === 'array' && schema['x-kubernetes-list-type'] === undefined),
  ).toEqual([]);
  const keyless = everything.filter(({ schema }) =>
    schema['x-kubernetes-list-map-keys']?.some((key) => !schema.items?.required?.includes(key)),
  );
  expect(keyless.map(({ path }) => path)).toEqual([]);
});

test('numbers say their unit and status has no phase', () => {
  const vague = /\.[a-z]*(timeout|interval|period|delay|duration|ttl|deadline)$/i;
  expect(paths(() => true).filter((path) => vague.test(path))).toEqual([]);
  expect(paths(() => true).filter((path) => /\.status\..*\bphase$/.test(path))).toEqual([]);
});

test('a rule names the field it speaks about, and the field exists', () => {
  const lost = everything.flatMap(({ path, schema }) =>
    (schema[rulesKey] ?? [])
      .filter(({ fieldPath }) => fieldPath !== undefined && !schema.properties?.[fieldPath.slice(1)])
      .map(({ fieldPath }) => path + fieldPath),
  );
  expect(lost).toEqual([]);
});

test('names, short names and categories do not clash', () => {
  expect(new Set(kinds.map(({ options }) => options.short)).size).toBe(kinds.length);
  expect(kinds.filter(({ options }) => !options.short.startsWith('rl'))).toEqual([]);
  const everyday = kinds.filter(({ options }) => options.categories.includes('rl'));
  expect(everyday.filter(({ scope }) => scope === 'Cluster')).toEqual([]);
  expect(kinds.filter(({ options }) => options.categories.includes('all'))).toEqual([]);
});

test('a CRD stays below what the API server and kubectl take', () => {
  for (const kind of kinds) expect(JSON.stringify(crdOf(kind)).length).toBeLessThan(200_000);
});

test('an object that may be left out has a complete default', () => {
  const inner = z.object({ mode: z.enum(['A', 'B']).default('A'), size: integer(1, 9).exactOptional() });
  const schema = schemaOf(
    z.object({ part: defaulted(z.object({ deep: defaulted(inner), on: z.boolean().default(true) })) }),
  );
  expect(schema.properties?.['part']?.default).toEqual({ deep: { mode: 'A' }, on: true });
  expect(schema.required).toBeUndefined();
});

test('an optional field that is immutable may not appear or vanish either', () => {
  const schema = schemaOf(
    z.object({
      kept: immutable(text(9)).exactOptional(),
      filled: immutable(text(9)).default('x'),
      must: immutable(text(9)),
    }),
  );
  expect(schema[rulesKey]).toEqual([
    expect.objectContaining({ rule: 'has(self.kept) == has(oldSelf.kept)', fieldPath: '.kept' }),
  ]);
  expect(schema.properties?.['must']?.[rulesKey]).toEqual([
    { rule: 'self == oldSelf', message: 'is immutable after creation' },
  ]);
});

test('rules add up and survive defaults', () => {
  const part = z.object({ type: z.enum(['A', 'B']).default('A'), extra: text(9).exactOptional() });
  const schema = schemaOf(
    z.object({ part: defaulted(immutable(rules(part, requiredWhen('extra', 'type', 'B')))) }),
  );
  expect(schema.properties?.['part']?.[rulesKey]?.map(({ rule }) => rule)).toEqual([
    "self.type != 'B' || has(self.extra)",
    'self == oldSelf',
  ]);
});

test('times carry their format only, numbers their width', () => {
  const schema = schemaOf(z.object({ at: time(), few: integer(0, 9), many: integer(0, 3_000_000_000) }));
  expect(schema.properties?.['at']).toEqual({ type: 'string', format: 'date-time' });
  expect(schema.properties?.['few']?.format).toBe('int32');
  expect(schema.properties?.['many']?.format).toBe('int64');
});

test('reasons are CamelCase words with a meaning, of kinds that exist', () => {
  const known = new Set<string>(kinds.map(({ kind }) => kind));
  for (const [kind, conditions] of Object.entries(reasons)) {
    expect(known).toContain(kind);
    for (const [reason, meaning] of Object.values(conditions).flatMap((meanings) =>
      Object.entries(meanings),
    )) {
      expect(reason).toMatch(/^[A-Z][A-Za-z0-9]*$/);
      expect(meaning).toMatch(/\.$/);
    }
  }
});
