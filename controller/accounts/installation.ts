/** The name under which this cluster's machines are tagged. */
import { namespaces } from '../api/resource.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Kube } from '../kube/port.ts';

interface Ports {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The uid of the namespace kube-system: every cluster has one, and it never changes. Waits for the API server. */
export async function readInstallation({ kube, clock, log }: Ports, signal: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const namespace = await kube.get(namespaces, { name: 'kube-system' });
      if (namespace !== undefined) return namespace.metadata.uid;
    } catch (error) {
      if (!(error instanceof AppError) || error.retry === 'never') throw error;
      log.warn({ err: error }, 'waited for the API server');
    }
    await clock.sleep(1_000, signal);
  }
}
