/** Lists objects in exactly the namespaces this process looks after: elsewhere it may not have the right to. */
import type { AnyObject } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import type { Kube } from '../kube/port.ts';

/** Live; `namespaces` empty = all. */
export async function listInScope<O extends AnyObject>(
  kube: Kube,
  resource: Resource<O>,
  namespaces: readonly string[],
): Promise<readonly O[]> {
  if (namespaces.length === 0) return kube.list(resource);
  const lists = await Promise.all(namespaces.map((namespace) => kube.list(resource, { namespace })));
  return lists.flat();
}
