/** The settings of the process, from its environment: the only place that reads it. */
import { hostname } from 'node:os';
import * as z from 'zod';

const address = z.string().transform((text, context) => {
  const parts = /^(.+):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[2]);
  if (parts?.[1] === undefined || port > 65_535) {
    context.addIssue({ code: 'custom', message: `must be host:port, is '${text}'` });
    return z.NEVER;
  }
  return { host: parts[1].replace(/^\[(.*)\]$/, '$1'), port };
});

const names = z.string().transform((text) => text.split(',').flatMap((name) => name.trim() || []));

const environment = z.object({
  /** Without it the process takes the service account of its pod. */
  KUBECONFIG: z.string().min(1).optional(),
  /** Where the lease and the keys the controller makes are kept. */
  POD_NAMESPACE: z.string().min(1).default('ridgeline-system'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  /** Comma-separated; empty = all namespaces. */
  WATCH_NAMESPACES: names.prefault(''),
  METRICS_ADDRESS: address.prefault('0.0.0.0:8080'),
  HEALTH_ADDRESS: address.prefault('0.0.0.0:8081'),
  /** For tests: ends the process at this place. */
  RIDGELINE_FAILPOINT: z.string().min(1).optional(),
});

export interface Config {
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  readonly logLevel: string;
  readonly watchNamespaces: readonly string[];
  readonly metricsAddress: { readonly host: string; readonly port: number };
  readonly healthAddress: { readonly host: string; readonly port: number };
  readonly failpoint: string | undefined;
  readonly hostname: string;
}

/** Throws with one line per wrong setting. AWS's own variables are read by its SDK. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`wrong settings in the environment:\n${lines.join('\n')}`);
  }
  const settings = parsed.data;
  return {
    kubeconfig: settings.KUBECONFIG,
    namespace: settings.POD_NAMESPACE,
    logLevel: settings.LOG_LEVEL,
    watchNamespaces: settings.WATCH_NAMESPACES,
    metricsAddress: settings.METRICS_ADDRESS,
    healthAddress: settings.HEALTH_ADDRESS,
    failpoint: settings.RIDGELINE_FAILPOINT,
    hostname: hostname(),
  };
}
