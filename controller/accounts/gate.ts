/** Which namespaces an account serves, and which account serves a namespace. */
import { type CloudAccount, cloudAccountKind } from '../api/cloud-account.ts';
import { siteDeploymentKind } from '../api/deployment.ts';
import { namespaces } from '../api/resource.ts';
import type { Cache, Kube } from '../kube/port.ts';

/** Whether the account lets this namespace spend its money. Reads the namespace's labels live when they decide. */
export async function isAllowed(kube: Kube, account: CloudAccount, namespace: string): Promise<boolean> {
  const { from, names = [], matchLabels = {} } = account.spec.allowedNamespaces;
  if (from === 'All') return true;
  if (from === 'Names') return names.includes(namespace);
  const labels = (await kube.get(namespaces, { name: namespace }))?.metadata.labels ?? {};
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}

/**
 * Whose identity looks up images and reads scripts for a namespace: the account of its first Deployment by name that
 * allows it, else the one called default if it does.
 */
export async function accountFor(
  ports: { readonly kube: Kube; readonly cache: Cache },
  namespace: string,
): Promise<CloudAccount | undefined> {
  const deployments = ports.cache
    .list(siteDeploymentKind, { namespace })
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const names = new Set([...deployments.map((deployment) => deployment.spec.accountRef.name), 'default']);
  for (const name of names) {
    const account = ports.cache.get(cloudAccountKind, { name });
    if (account !== undefined && (await isAllowed(ports.kube, account, namespace))) return account;
  }
  return undefined;
}
