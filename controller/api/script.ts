/** Script: code with the packages, files and inputs it needs; the RightScript of 2007. */
import * as z from 'zod';
import { bucket, exactlyOne, integer, keyRef, mapBy, rules, setOf, sha256, text } from './fields.ts';
import type { SpecOf, StatusOf } from './kind.ts';
import { ageColumn, defineKind, reasonColumn, userCategories } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { count, inputDeclarations, statusOf } from './parts.ts';

const source = rules(
  z.object({
    inline: text(131_072).min(1).exactOptional().describe('The text itself.'),
    configMapKeyRef: keyRef().exactOptional().describe('Key of a ConfigMap.'),
    s3: z
      .object({
        bucket: bucket().describe('S3 bucket.'),
        key: text(1024).min(1).describe('Key of the object.'),
        sha256: sha256().describe('Digest the object must have.'),
      })
      .exactOptional()
      .describe('Object in S3, read with the identity of the account.'),
  }),
  exactlyOne('inline', 'configMapKeyRef', 's3'),
);

const attachment = rules(
  z.object({
    name: text(128, /^[A-Za-z0-9][A-Za-z0-9._-]*$/).describe('File name.'),
    configMapKeyRef: keyRef().exactOptional().describe('Key of a ConfigMap.'),
    secretKeyRef: keyRef().exactOptional().describe('Key of a Secret; the file is readable by `runAs` only.'),
  }),
  exactlyOne('configMapKeyRef', 'secretKeyRef'),
);

/** Everything about a Script but where its text comes from: frozen into template revisions as it is. */
export const scriptBody = {
  interpreter: text(128, /^\/[^\s]+$/)
    .default('/bin/bash')
    .describe('Program that is given the file.'),
  packages: setOf(text(128, /^[a-z0-9][a-z0-9+.:~=-]*$/))
    .exactOptional()
    .describe('Packages of the operating system, installed first.'),
  attachments: mapBy(['name'], attachment)
    .exactOptional()
    .describe('Files placed in the folder $ATTACH_DIR.'),
  inputs: inputDeclarations().exactOptional().describe('Environment variables it reads.'),
  runAs: text(32, /^[a-z_][a-z0-9_-]*$/)
    .default('root')
    .describe('User of the host.'),
  timeoutSeconds: integer(1, 86_400)
    .default(1800)
    .describe('After this it gets TERM, and 10 seconds later KILL.'),
  retries: integer(0, 10).default(0).describe('Runs again after an exit other than 0, this often.'),
  onInterruption: z
    .enum(['Fail', 'Rerun'])
    .default('Fail')
    .describe('When a host restart leaves open whether a run finished: Rerun only if that does no harm.'),
} as const;

const spec = z.object({
  description: text(1024).exactOptional().describe('What it does.'),
  source: source.describe('The code.'),
  ...scriptBody,
});

const status = statusOf({
  sha256: sha256().optional().describe('Digest of the text.'),
  inputs: count(100).optional().describe('Number of declared inputs.'),
  usedBy: count().optional().describe('ServerTemplates that name it.'),
});

export const scriptKind = defineKind({
  kind: 'Script',
  plural: 'scripts',
  short: 'rls',
  scope: 'Namespaced',
  categories: userCategories,
  description: 'Code that runs on servers at boot, before termination, or when a person asks.',
  spec,
  status,
  columns: [
    { name: 'Interpreter', type: 'string', jsonPath: '.spec.interpreter' },
    { name: 'Inputs', type: 'integer', jsonPath: '.status.inputs' },
    { name: 'Timeout', type: 'integer', jsonPath: '.spec.timeoutSeconds' },
    reasonColumn('Ready'),
    ageColumn,
  ],
});

export type ScriptSpec = SpecOf<typeof scriptKind>;
export type ScriptStatus = StatusOf<typeof scriptKind>;
export type Script = KubeObject<ScriptSpec, ScriptStatus>;
