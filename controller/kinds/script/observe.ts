/** Reads a script's text, looks whether its files are there, and counts who uses it. */

import { accountFor } from '../../accounts/gate.ts';
import type { Accounts } from '../../accounts/port.ts';
import { annotations } from '../../api/meta.ts';
import type { Script } from '../../api/script.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { ObjectStore } from '../../cloud/port.ts';
import { freezeScript } from '../../inputs/script-text.ts';
import { readKey } from '../../inputs/sources.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { Observed, Reading } from './decide.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly readings: Readings;
}

/** Texts and files outside of the Script may change without a word: they are read again after this long. */
export const readingPeriod: Millis = 60_000;

/** The text is read at most once a minute; what cannot be read is a fact. */
export async function observe(ports: ObservePorts, script: Script, now: Instant): Promise<Observed> {
  const reading = await ports.readings.of(script, now, () => read(ports, script));
  const { namespace = '', name } = script.metadata;
  const templates = ports.cache.list(serverTemplateKind, { namespace }).filter(({ spec }) => {
    const steps = [...(spec.boot ?? []), ...(spec.operations ?? []), ...(spec.decommission ?? [])];
    return [...steps, spec.health].some((use) => use.scriptRef?.name === name);
  });
  return { ...reading, now, script, usedBy: templates.length };
}

async function read(ports: ObservePorts, script: Script): Promise<Reading> {
  const { namespace = '' } = script.metadata;
  const objects = script.spec.source.s3 === undefined ? undefined : await storeFor(ports, namespace);
  const text = await freezeScript(ports.kube, script, objects);
  const files = (script.spec.attachments ?? []).map(async ({ name, secretKeyRef, configMapKeyRef }) => {
    const ref = secretKeyRef ?? configMapKeyRef ?? { name: '', key: '' };
    const from = secretKeyRef === undefined ? 'ConfigMap' : 'Secret';
    const reading = await readKey(ports.kube, namespace, { from, ...ref });
    return 'message' in reading ? [`File ${name}: ${reading.message}`] : [];
  });
  return { text, missingFiles: (await Promise.all(files)).flat() };
}

async function storeFor(ports: ObservePorts, namespace: string): Promise<ObjectStore | undefined> {
  const account = await accountFor(ports, namespace);
  return account === undefined ? undefined : (await ports.accounts.open(account)).cloud.objects;
}

/** Keeps what was read for a while: templates wake a script far more often than its text changes. */
export class Readings {
  readonly #kept = new Map<
    string,
    { readonly version: string; readonly at: Instant; readonly reading: Reading }
  >();

  async of(script: Script, now: Instant, readAgain: () => Promise<Reading>): Promise<Reading> {
    const { uid, generation = 0, annotations: marks = {} } = script.metadata;
    const version = `${generation} ${marks[annotations.reconcileAt] ?? ''}`;
    const kept = this.#kept.get(uid);
    if (kept?.version === version && now - kept.at < readingPeriod) return kept.reading;
    const reading = await readAgain();
    this.#kept.set(uid, { version, at: now, reading });
    return reading;
  }

  forget(uid: string): void {
    this.#kept.delete(uid);
  }
}
