/** The name under which this cluster's machines are tagged. */
import { namespaces } from '../api/resource.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Kube } from '../kube/port.ts';

/** The uid of the namespace kube-system: every cluster has one, and it never changes. Waits for the API server. */
export async function readInstallation(kube: Kube, clock: Clock, signal: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const namespace = await kube.get(namespaces, { name: 'kube-system' });
      if (namespace !== undefined) return namespace.metadata.uid;
    } catch (error) {
      if (!(error instanceof AppError) || error.retry === 'never') throw error;
    }
    await clock.sleep(1_000, signal);
  }
}
