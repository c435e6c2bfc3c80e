/** Checks that a script's text and files can be read, and publishes the digest that templates freeze. */

import type { Accounts } from '../../accounts/port.ts';
import { keyOf, type ObjectKey } from '../../api/meta.ts';
import { scriptKind } from '../../api/script.ts';
import { type ServerTemplate, serverTemplateKind } from '../../api/server-template.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { decide } from './decide.ts';
import { type ObservePorts, observe, Readings, readingPeriod } from './observe.ts';
import { statusOf } from './status.ts';

export interface ScriptPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
}

interface Ports extends ScriptPorts, ObservePorts {}

/** Keeps what it read for a minute. */
export function createScriptController(ports: ScriptPorts): KindController {
  const own: Ports = { ...ports, readings: new Readings() };
  return {
    name: 'script',
    resource: scriptKind,
    workers: 4,
    watches: [{ resource: serverTemplateKind, wakes: (template) => scriptsOf(template as ServerTemplate) }],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const script = ports.cache.get(scriptKind, key);
  if (script === undefined) return {};
  if (script.metadata.deletionTimestamp !== undefined) {
    ports.readings.forget(script.metadata.uid);
    return {};
  }
  const observed = await observe(ports, script, context.now);
  const { problem, news } = decide(observed);
  await ports.kube.writeStatus(scriptKind, script, statusOf(observed, problem));
  if (news !== undefined) ports.events[news.type](script, news.reason, news.message);
  const { source, attachments = [] } = script.spec;
  // An inline text without files cannot change behind our back.
  return source.inline !== undefined && attachments.length === 0 ? {} : { after: readingPeriod };
}

function scriptsOf(template: ServerTemplate): readonly ObjectKey[] {
  const { spec } = template;
  const steps = [...(spec.boot ?? []), ...(spec.operations ?? []), ...(spec.decommission ?? [])];
  const names = [...steps, spec.health].flatMap((use) => use.scriptRef?.name ?? []);
  return [...new Set(names)].map((name) => ({ ...keyOf(template), name }));
}
