/** Stores revisions, holds those that are run from, and removes old ones. */
import { apiVersion, finalizer, withFinalizer, withoutFinalizer } from '../../api/meta.ts';
import { type ControllerRevision, controllerRevisions } from '../../api/resource.ts';
import { type ServerTemplate, serverTemplateKind } from '../../api/server-template.ts';
import { revisionName, type TemplateRevision, templateLabel } from '../../api/template-revision.ts';
import { AppError } from '../../base/errors.ts';
import type { Kube } from '../../kube/port.ts';
import type { Observed } from './decide.ts';

/**
 * Makes sure the revision is stored; equal content has an equal name, so an existing one is the same. Fails with
 * `kube.already-exists` while a deleted template of the same name still has one: it will be collected.
 */
export async function storeRevision(
  kube: Kube,
  { template, revisions }: Observed,
  content: { readonly hash: string; readonly data: TemplateRevision },
): Promise<void> {
  const name = revisionName(template.metadata.name, content.hash);
  if (revisions.some((revision) => revision.metadata.name === name)) return;
  const { namespace = '' } = template.metadata;
  const existing = await kube.get(controllerRevisions, { namespace, name });
  if (existing !== undefined) {
    const isOurs = existing.metadata.ownerReferences?.some((owner) => owner.uid === template.metadata.uid);
    if (isOurs === true) return;
    throw new AppError('kube.already-exists', `ControllerRevision ${name} belongs to another template`);
  }
  await kube.create(controllerRevisions, {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace,
      labels: { [templateLabel]: template.metadata.name },
      ownerReferences: [ownerOf(template)],
      finalizers: [finalizer],
    },
    revision: (revisions[0]?.revision ?? 0) + 1,
    data: content.data,
  });
}

/** One after the other; ends at the first that cannot be deleted. */
export async function removeRevisions(kube: Kube, expired: readonly ControllerRevision[]): Promise<void> {
  for (const revision of expired) {
    const [free] = await releaseRevisions(kube, [revision]);
    if (free !== undefined) await kube.delete(controllerRevisions, free);
  }
}

/** Whoever deletes a revision, or its namespace, does not take it from the servers that run from it. */
export async function holdRevisions(kube: Kube, revisions: readonly ControllerRevision[]): Promise<void> {
  for (const revision of revisions) {
    if (revision.metadata.deletionTimestamp !== undefined) continue;
    await kube.setFinalizers(controllerRevisions, revision, withFinalizer(revision));
  }
}

/** Nobody runs from them: those whose deletion was asked for go. */
export async function releaseRevisions(
  kube: Kube,
  revisions: readonly ControllerRevision[],
): Promise<readonly ControllerRevision[]> {
  const released: ControllerRevision[] = [];
  for (const revision of revisions) {
    released.push(await kube.setFinalizers(controllerRevisions, revision, withoutFinalizer(revision)));
  }
  return released;
}

function ownerOf({ metadata }: ServerTemplate) {
  const { name, uid } = metadata;
  return { apiVersion, kind: serverTemplateKind.kind, name, uid, controller: true };
}
