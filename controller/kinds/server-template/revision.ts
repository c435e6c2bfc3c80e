/** Freezes a template into revision data and names it by its content. */
import { createHash } from 'node:crypto';
import type { ServerTemplate } from '../../api/server-template.ts';
import type { FrozenScript, FrozenStep, TemplateRevision } from '../../api/template-revision.ts';

type Step = { readonly name: string; readonly scriptRef: { readonly name: string } };

/** Everything that decides what a new server is. */
export function freezeRevision(
  template: ServerTemplate,
  imageID: string,
  scripts: readonly FrozenScript[],
): TemplateRevision {
  const { spec } = template;
  return {
    imageID,
    instance: spec.instance,
    securityGroupIDs: spec.securityGroupIDs ?? [],
    scripts: scripts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    boot: stepsOf(spec.boot),
    operations: stepsOf(spec.operations),
    decommission: stepsOf(spec.decommission),
    inputs: spec.inputs ?? [],
    health: spec.health,
    bootDeadlineSeconds: spec.bootDeadlineSeconds,
  };
}

/** The scripts a template names, each once. */
export function scriptNames({ spec }: ServerTemplate): readonly string[] {
  const steps = [...(spec.boot ?? []), ...(spec.operations ?? []), ...(spec.decommission ?? [])];
  const health = spec.health.type === 'Script' ? spec.health.scriptRef : undefined;
  const names = steps.map((step) => step.scriptRef.name);
  return [...new Set(health === undefined ? names : [...names, health.name])];
}

/** Eight hex digits that are equal for equal content, whatever the order of keys. */
export function hashOf(revision: TemplateRevision): string {
  return createHash('sha256').update(stableText(revision)).digest('hex').slice(0, 8);
}

/** The parts in which two revisions differ, in words for people: `image, script deploy`. */
export function listDifferences(before: TemplateRevision, after: TemplateRevision): readonly string[] {
  const parts = Object.keys(after) as (keyof TemplateRevision)[];
  const changed = parts.filter((part) => stableText(before[part]) !== stableText(after[part]));
  return changed.flatMap((part) => (part === 'scripts' ? changedScripts(before, after) : [part]));
}

function changedScripts(before: TemplateRevision, after: TemplateRevision): readonly string[] {
  const old = new Map(before.scripts.map((script) => [script.name, stableText(script)]));
  const names = after.scripts
    .filter((script) => old.get(script.name) !== stableText(script))
    .map((script) => `script ${script.name}`);
  return names.length === 0 ? ['scripts'] : names;
}

function stepsOf(steps: readonly Step[] | undefined): FrozenStep[] {
  return (steps ?? []).map(({ name, scriptRef }) => ({ name, script: scriptRef.name }));
}

/** JSON with sorted keys. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
