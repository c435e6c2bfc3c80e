/** The page that Prometheus reads. */
import type { Registry } from 'prom-client';
import type { Route } from '../http/routes.ts';

/** `/metrics`: everything in `registry`, in the text format. */
export function metricsRoute(registry: Registry): Route {
  return {
    method: 'GET',
    path: '/metrics',
    answer: async () => ({
      status: 200,
      contentType: registry.contentType,
      body: await registry.metrics(),
    }),
  };
}
