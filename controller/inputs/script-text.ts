/** Reads the text of a Script from wherever it is kept, and checks it. */
import { createHash } from 'node:crypto';
import type { Script } from '../api/script.ts';
import type { FrozenScript } from '../api/template-revision.ts';
import { hasCode } from '../base/errors.ts';
import type { ObjectStore } from '../cloud/port.ts';
import type { Kube } from '../kube/port.ts';
import { readKey } from './sources.ts';

/** Why the text cannot be used. */
export interface ScriptProblem {
  readonly reason: 'SourceNotFound' | 'ChecksumMismatch' | 'SourceTooLarge';
  readonly message: string;
}

/** As long as the API server lets an inline text be. */
const largestText = 131_072;

/**
 * The script with its text as it is now. `objects` is the store of the account whose identity reads S3; without one
 * a script in S3 is a problem. Fails as ObjectStore and Kube do.
 */
export async function freezeScript(
  kube: Kube,
  script: Script,
  objects: ObjectStore | undefined,
): Promise<FrozenScript | ScriptProblem> {
  const read = await readText(kube, script, objects);
  if ('reason' in read) return read;
  const { source: _, description: __, ...body } = script.spec;
  const sha256 = createHash('sha256').update(read.text).digest('hex');
  return { name: script.metadata.name, sha256, text: read.text, ...body };
}

type Text = { readonly text: string } | ScriptProblem;

async function readText(kube: Kube, script: Script, objects: ObjectStore | undefined): Promise<Text> {
  const { inline, configMapKeyRef, s3 } = script.spec.source;
  if (inline !== undefined) return { text: inline };
  if (configMapKeyRef !== undefined) {
    const namespace = script.metadata.namespace ?? '';
    const reading = await readKey(kube, namespace, { from: 'ConfigMap', ...configMapKeyRef });
    return 'content' in reading
      ? limitSize(reading.content)
      : { reason: 'SourceNotFound', message: reading.message };
  }
  if (s3 === undefined || objects === undefined) {
    return { reason: 'SourceNotFound', message: 'There is no CloudAccount to read S3 with.' };
  }
  return fromStore(s3, objects);
}

async function fromStore(
  s3: NonNullable<Script['spec']['source']['s3']>,
  objects: ObjectStore,
): Promise<Text> {
  const url = `s3://${s3.bucket}/${s3.key}`;
  const content = await getOrNothing(objects, s3);
  if (content === undefined) return { reason: 'SourceNotFound', message: `${url} does not exist.` };
  const found = createHash('sha256').update(content).digest('hex');
  if (found === s3.sha256) return limitSize(content);
  return {
    reason: 'ChecksumMismatch',
    message: `${url} has sha256 ${found}, the Script names ${s3.sha256}. Nothing of it is used.`,
  };
}

async function getOrNothing(
  objects: ObjectStore,
  s3: { readonly bucket: string; readonly key: string },
): Promise<Uint8Array | undefined> {
  try {
    return await objects.get(s3.bucket, s3.key);
  } catch (error) {
    if (hasCode(error, 'objects.not-found')) return undefined;
    throw error;
  }
}

function limitSize(content: Uint8Array): Text {
  if (content.byteLength <= largestText) return { text: Buffer.from(content).toString('utf8') };
  const message = `The text has ${content.byteLength} bytes, more than ${largestText}.`;
  return { reason: 'SourceTooLarge', message };
}
