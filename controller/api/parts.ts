/** Schema parts that several kinds share: inputs, tags, network, conditions, switches. */
import * as z from 'zod';
import { exactlyOne, integer, keyRef, label, listOf, mapBy, rules, setOf, text, time } from './fields.ts';

const inputName = () => text(63, /^[A-Z][A-Z0-9_]*$/).min(1);

const endpointRef = rules(
  z
    .object({
      kind: z.enum(['MySQLCluster', 'LoadBalancer', 'Server']).describe('Kind that publishes it.'),
      name: label().describe('Name of the object, in the same namespace.'),
      endpoint: z
        .enum(['Writer', 'Reader', 'Private', 'Public'])
        .describe('Writer and Reader belong to a MySQLCluster, Private and Public to the others.'),
    })
    .meta({ 'x-kubernetes-map-type': 'atomic' }),
  {
    rule: "(self.kind == 'MySQLCluster') == (self.endpoint in ['Writer', 'Reader'])",
    message:
      'must be Writer or Reader when `kind` is MySQLCluster, and Private or Public for every other kind',
    reason: 'FieldValueInvalid',
    fieldPath: '.endpoint',
  },
);

const input = rules(
  z.object({
    name: inputName().describe('Environment variable name.'),
    value: text(4096).exactOptional().describe('Literal value. Never for secrets.'),
    valueFrom: rules(
      z.object({
        secretKeyRef: keyRef().exactOptional().describe('Key of a Secret; masked in every log and status.'),
        configMapKeyRef: keyRef().exactOptional().describe('Key of a ConfigMap.'),
        endpointRef: endpointRef.exactOptional().describe('Address that another object publishes.'),
      }),
      exactlyOne('secretKeyRef', 'configMapKeyRef', 'endpointRef'),
    )
      .exactOptional()
      .describe('Where the value comes from.'),
  }),
  exactlyOne('value', 'valueFrom'),
);

/** Values of one level; the caller describes which level. */
export function inputs() {
  return mapBy(['name'], input, 100);
}

/** One value of one level, as a person wrote it. */
export type Input = z.output<typeof input>;

const declaration = rules(
  z.object({
    name: inputName().describe('Environment variable name.'),
    description: text(1024).exactOptional().describe('What it is for.'),
    required: z.boolean().default(false).describe('The script does not run while no value resolves.'),
    default: text(4096).exactOptional().describe('Value when no level sets one.'),
    sensitive: z.boolean().default(false).describe('Must come from a Secret; masked everywhere.'),
    options: setOf(text(256)).exactOptional().describe('The allowed values.'),
  }),
  {
    rule: '!(self.required && has(self.default))',
    message: 'may not be set when `required` is true',
    reason: 'FieldValueForbidden',
    fieldPath: '.default',
  },
  {
    rule: '!(self.sensitive && has(self.default))',
    message: 'may not be set when `sensitive` is true; put the value in a Secret',
    reason: 'FieldValueForbidden',
    fieldPath: '.default',
  },
  {
    rule: '!has(self.options) || !has(self.default) || self.default in self.options',
    message: 'must be one of `options`',
    reason: 'FieldValueInvalid',
    fieldPath: '.default',
  },
);

/** The inputs a script declares. */
export function inputDeclarations() {
  return mapBy(['name'], declaration, 100);
}

/** What a script says about one of its inputs. */
export type InputDeclaration = z.output<typeof declaration>;

/** Extra EC2 tags on everything that is created. */
export function tags() {
  const tag = z.object({
    name: rules(text(128).min(1), {
      rule: "!self.startsWith('ridgeline:') && !self.startsWith('aws:')",
      message: "must not start with 'ridgeline:' or 'aws:'; both prefixes are reserved",
    }).describe('Tag key.'),
    value: text(256).describe('Tag value.'),
  });
  return mapBy(['name'], tag, 40);
}

/** Ids of subnets, at most 16, each once. */
export function subnetIDs() {
  return setOf(text(32, /^subnet-[0-9a-z]+$/), 16);
}

/** Ids of security groups, at most 16, each once. */
export function securityGroupIDs() {
  return setOf(text(32, /^sg-[0-9a-z]+$/), 16);
}

/** The switch that stops all changes; false by default. */
export function suspend() {
  return z.boolean().default(false).describe('Stop all changes; observation, status and metrics go on.');
}

/** `protectedByDefault`: databases start locked. */
export function deletionProtection(protectedByDefault = false) {
  return z.boolean().default(protectedByDefault).describe('Requests to delete this object are refused.');
}

/** A machine that was let go and is taken over instead of launching one. */
export function adoptedMachine() {
  return z.object({
    instanceID: instanceID().describe(
      'EC2 instance; it must be tagged ridgeline:retained, and nobody else may have it.',
    ),
    sshHostKeys: setOf(text(128, /^[A-Z0-9]+:SHA256:[A-Za-z0-9+/]{43}$/), 8)
      .exactOptional()
      .describe(
        'Fingerprints of its host keys, e.g. ED25519:SHA256:…; when unset, those that were pinned when it was let go.',
      ),
  });
}

const condition = z.object({
  type: text(316).min(1).describe('What the condition is about, in CamelCase.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('True, False or Unknown.'),
  observedGeneration: generation().exactOptional().describe('Generation of the spec this speaks about.'),
  lastTransitionTime: time().describe('When status last changed.'),
  reason: text(1024).min(1).describe('Stable cause in CamelCase; scripts may test it.'),
  message: text(4096).describe('What happened and what to do next.'),
});

/** A status object: the given fields and those that every kind has. */
export function statusOf<Shape extends z.ZodRawShape>(shape: Shape) {
  return z
    .object({
      observedGeneration: generation().optional().describe('Generation of the spec last acted upon.'),
      conditions: mapBy(['type'], condition, 16).optional().describe('Standard conditions.'),
      lastHandledReconcileAt: text(64)
        .optional()
        .describe('Echo of the annotation ridgeline.dev/reconcile-at.'),
      ...shape,
    })
    .describe('What the controller observed; only the controller writes it.');
}

/** A count of servers or anything else that cannot be negative. */
export function count(max = 100_000) {
  return integer(0, max);
}

/** A span that started and may have ended. */
export const span = {
  startTime: time().optional().describe('When it started.'),
  completionTime: time().optional().describe('When it ended.'),
} as const;

/** EC2 instance types in order of preference. */
export function instanceTypes() {
  return listOf(instanceType(), 10).min(1);
}

/** An EC2 instance type, such as `t3.small`. */
export function instanceType() {
  return text(32, /^[a-z0-9-]+\.[a-z0-9-]+$/);
}

/** Id of an EC2 instance. */
export function instanceID() {
  return text(32, /^i-[0-9a-f]+$/);
}

/** Id of a machine image. */
export function imageID() {
  return text(32, /^ami-[0-9a-f]+$/);
}

/** An availability zone, such as `us-east-1a`. */
export function zone() {
  return text(32, /^[a-z0-9-]+$/);
}

/** An IPv4 or IPv6 address; its form is only checked roughly. */
export function address() {
  return text(45, /^[0-9a-f.:]+$/);
}

/** `metadata.generation`: it counts the changes of a spec. */
export function generation() {
  return integer(0, Number.MAX_SAFE_INTEGER);
}
