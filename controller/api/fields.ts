/** The building blocks of every schema: bounded text, numbers and lists, references and validation rules. */
import * as z from 'zod';

/** One CEL rule of a CRD; `fieldPath` is relative to the object the rule sits on. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly reason?: 'FieldValueRequired' | 'FieldValueForbidden' | 'FieldValueInvalid';
  readonly fieldPath?: string;
}

/** Under this key schemas carry their rules into the CRD. */
export const rulesKey = 'x-kubernetes-validations';

/** Adds CEL rules. Call it before `.default()` or `.exactOptional()`: the wrapper would hide the inner rules. */
export function rules<Schema extends z.ZodType>(schema: Schema, ...added: readonly Rule[]): Schema {
  const before = schema.meta()?.[rulesKey] as readonly Rule[] | undefined;
  return schema.meta({ [rulesKey]: [...(before ?? []), ...added] });
}

/** The value may not change. The generator also forbids adding or removing an optional field that is immutable. */
export function immutable<Schema extends z.ZodType>(
  schema: Schema,
  message = 'is immutable after creation',
): Schema {
  return rules(schema, { rule: 'self == oldSelf', message });
}

/** Of these optional fields exactly one is set. */
export function exactlyOne(...fields: readonly string[]): Rule {
  return {
    rule: `[${fields.map((field) => `has(self.${field})`).join(', ')}].filter(x, x).size() == 1`,
    message: `exactly one of ${fields.map(quote).join(', ')} must be set`,
    reason: 'FieldValueInvalid',
  };
}

/** `field` must be set when the enum `decider` has `value`. */
export function requiredWhen(field: string, decider: string, value: string): Rule {
  return {
    rule: `self.${decider} != '${value}' || has(self.${field})`,
    message: `may not be empty when ${quote(decider)} is ${value}`,
    reason: 'FieldValueRequired',
    fieldPath: `.${field}`,
  };
}

/** `lower` may not be above `upper`. */
export function ordered(lower: string, upper: string): Rule {
  return {
    rule: `self.${lower} <= self.${upper}`,
    message: `must be less than or equal to ${quote(upper)}`,
    reason: 'FieldValueInvalid',
    fieldPath: `.${lower}`,
  };
}

/** At most `maxLength` characters; the API server checks `pattern`, so it must be RE2. */
export function text(maxLength: number, pattern?: RegExp): z.ZodString {
  const schema = z.string().max(maxLength);
  return pattern === undefined ? schema : schema.regex(pattern);
}

/** A name that may stand in a host name: an object of ours, or an entry of a keyed list. */
export function label(): z.ZodString {
  return text(63, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/).min(1);
}

/** A name of a built-in object, e.g. a Secret: DNS subdomain. */
export function objectName(): z.ZodString {
  return text(253, /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/).min(1);
}

/** Both bounds are allowed values. */
export function integer(min: number, max: number): z.ZodInt {
  return z.int().min(min).max(max);
}

/** RFC 3339. */
export function time(): z.ZodISODateTime {
  return z.iso.datetime({ offset: true });
}

/** A list whose order matters or whose entries may repeat; written as a whole. */
export function listOf<Item extends z.ZodType>(item: Item, maxItems = 64): z.ZodArray<Item> {
  return z.array(item).max(maxItems).meta({ 'x-kubernetes-list-type': 'atomic' });
}

/** A list of distinct scalars; appliers own single entries. */
export function setOf<Item extends z.ZodType>(item: Item, maxItems = 64): z.ZodArray<Item> {
  return z.array(item).max(maxItems).meta({ 'x-kubernetes-list-type': 'set' });
}

/** A list of objects told apart by the fields `keys`; appliers own single entries. */
export function mapBy<Item extends z.ZodType>(
  keys: readonly string[],
  item: Item,
  maxItems = 64,
): z.ZodArray<Item> {
  return z
    .array(item)
    .max(maxItems)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys });
}

const atomic = { 'x-kubernetes-map-type': 'atomic' } as const;

/** A reference to one of our objects in the same namespace (or to a cluster-scoped one). */
export function ref() {
  return z.object({ name: label().describe('Name of the object.') }).meta(atomic);
}

/** A reference to a Secret in the same namespace. */
export function secretRef() {
  return z.object({ name: objectName().describe('Name of the Secret.') }).meta(atomic);
}

/** A reference to a Secret from a cluster-scoped object. */
export function namespacedSecretRef() {
  return z
    .object({
      name: objectName().describe('Name of the Secret.'),
      namespace: label().describe('Namespace of the Secret.'),
    })
    .meta(atomic);
}

/** A key of a Secret or ConfigMap in the same namespace. */
export function keyRef() {
  return z
    .object({
      name: objectName().describe('Name of the object.'),
      key: text(253, /^[-._a-zA-Z0-9]+$/)
        .min(1)
        .describe('Key inside it.'),
    })
    .meta(atomic);
}

export type KeyRef = z.output<ReturnType<typeof keyRef>>;

/** Name of an S3 bucket. */
export function bucket(): z.ZodString {
  return text(63, /^[a-z0-9][a-z0-9.-]+[a-z0-9]$/).min(3);
}

/** 64 lower-case hex digits. */
export function sha256(): z.ZodString {
  return text(64, /^[a-f0-9]{64}$/);
}

/** Short hash that names a frozen template revision. */
export function revisionHash(): z.ZodString {
  return text(8, /^[0-9a-f]{8}$/);
}

/** Fields that the user leaves out take their own defaults; the object itself is then always present. */
export function defaulted<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>) {
  return schema.prefault({} as z.input<z.ZodObject<Shape>>);
}

function quote(field: string): string {
  return `\`${field}\``;
}
