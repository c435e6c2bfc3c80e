/** From a kind to its CustomResourceDefinition: structural schema, rules, columns, subresources. */
import * as z from 'zod';
import type { Rule } from './fields.ts';
import { rulesKey } from './fields.ts';
import type { Column, Kind } from './kind.ts';

/** The part of OpenAPI 3.0 that structural schemas are made of. */
export interface Schema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic';
  readonly [rulesKey]?: readonly Rule[];
}

/** The object to be stored as YAML; its keys stand in the order in which they are written. */
export function crdOf(kind: Kind<unknown, unknown>) {
  const { plural, short, scope, categories, selectableFields, columns } = kind.options;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${kind.group}`, labels: { 'app.kubernetes.io/part-of': 'ridgeline' } },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [short],
        categories,
      },
      scope,
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          additionalPrinterColumns: columns.map(printerColumn),
          ...(selectableFields && { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
          subresources: { status: {}, ...scaleOf(kind) },
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

function printerColumn({ name, type, jsonPath, priority }: Column) {
  return { name, type, jsonPath, ...(priority === 1 && { priority }) };
}

function scaleOf({ options: { scale } }: Kind<unknown, unknown>) {
  if (scale === undefined) return {};
  const [specReplicasPath, statusReplicasPath, labelSelectorPath] = scale;
  return { scale: { specReplicasPath, statusReplicasPath, labelSelectorPath } };
}

function rootSchema(kind: Kind<unknown, unknown>) {
  return {
    type: 'object',
    description: kind.options.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string' } } },
      spec: schemaOf(kind.options.spec),
      status: schemaOf(kind.options.status),
    },
    [rulesKey]: nameRules(kind),
  };
}

/** Names stand in references, labels, tags and host names. */
function nameRules({ options }: Kind<unknown, unknown>): readonly Rule[] {
  const maxNameLength: number = options.maxNameLength ?? 63;
  if (maxNameLength === 253) return [];
  return [
    {
      rule: `self.metadata.name.size() <= ${maxNameLength} && !self.metadata.name.contains('.')`,
      message: `must be no longer than ${maxNameLength} characters and must not contain a dot; it becomes part of host names and labels`,
      reason: 'FieldValueInvalid',
      fieldPath: '.metadata.name',
    },
  ];
}

/** The structural schema of a zod schema, as the API server wants it. */
export function schemaOf(schema: z.ZodType): Schema {
  const converted = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => {
      // The API server knows RFC 3339; zod's pattern would only repeat it at length.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  return tidySchema(converted as unknown as Schema);
}

function tidySchema(schema: Schema): Schema {
  if (schema.type === 'object') return tidyObject(schema);
  if (schema.items !== undefined) return { ...schema, items: tidySchema(schema.items) };
  if (schema.type !== 'integer') return schema;
  return { ...schema, format: (schema.maximum ?? 0) > 2_147_483_647 ? 'int64' : 'int32' };
}

function tidyObject(schema: Schema): Schema {
  if (schema.properties === undefined) return schema;
  const properties = Object.fromEntries(
    Object.entries(schema.properties).map(([name, property]) => [name, tidySchema(property)]),
  );
  const tidied: Schema = { ...schema, properties };
  const allRules = [...(schema[rulesKey] ?? []), ...presenceRules(tidied)];
  return {
    ...tidied,
    ...(schema.default !== undefined && { default: completeDefault(tidied) }),
    ...(allRules.length > 0 && { [rulesKey]: allRules }),
  };
}

/**
 * The API server checks an object's own default, rules included, before it fills in the defaults of the fields
 * inside: so the default must already have them.
 */
function completeDefault({ default: given, properties }: Schema): Readonly<Record<string, unknown>> {
  const inner = Object.entries(properties ?? {})
    .filter(([, property]) => property.default !== undefined)
    .map(([name, property]) => [name, property.default]);
  return { ...Object.fromEntries(inner), ...(given as object) };
}

/** `self == oldSelf` is not asked when an optional field appears or disappears; its parent has to. */
function presenceRules({ properties = {}, required = [] }: Schema): readonly Rule[] {
  return Object.entries(properties)
    .filter(
      ([name, property]) =>
        !required.includes(name) && property.default === undefined && isImmutable(property),
    )
    .map(([name]) => ({
      rule: `has(self.${name}) == has(oldSelf.${name})`,
      message: 'may not be added or removed after creation',
      reason: 'FieldValueForbidden',
      fieldPath: `.${name}`,
    }));
}

function isImmutable(schema: Schema): boolean {
  return schema[rulesKey]?.some(({ rule }) => rule === 'self == oldSelf') ?? false;
}
