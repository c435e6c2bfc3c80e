/** A ScriptRun that is under way, as decisions see it, and one that asks to begin, on a site of fakes. */
import type { Condition } from '../../../../controller/api/conditions.ts';
import { scriptKind } from '../../../../controller/api/script.ts';
import { type ScriptRun, scriptRunKind } from '../../../../controller/api/script-run.ts';
import type { TargetFacts } from '../../../../controller/kinds/script-run/decide/facts.ts';
import { decide } from '../../../../controller/kinds/script-run/decide/index.ts';
import type { Result } from '../../../../controller/kinds/script-run/decide/record.ts';
import { createScriptRunController } from '../../../../controller/kinds/script-run/reconcile.ts';
import { statusOf } from '../../../../controller/kinds/script-run/status.ts';
import { at, t0 } from '../../../builders/server.ts';
import { aRevision, aScript, namespace, Site, words } from '../../../builders/site.ts';

/** One pass over a run whose servers are on record; it began 30 seconds before `t0`. */
export interface UnderWay {
  readonly results: readonly Result[];
  /** What is seen of a server; it is well, and its job runs, where nothing is said. */
  readonly seen?: Readonly<Record<string, Partial<TargetFacts>>>;
  readonly spec?: Partial<ScriptRun['spec']>;
  /** After `t0`. */
  readonly seconds?: number;
}

/** The first pass over a run, on a site with the Operational server `web`. */
export interface Opening {
  readonly spec: object;
  /** Since the run was made. */
  readonly seconds?: number;
  readonly arrange?: (site: Site) => void;
}

export type Scene = UnderWay | Opening;

type Look = NonNullable<TargetFacts['look']>;

export const lost: Look = { state: 'unreachable', final: false, message: 'connect ETIMEDOUT' };
export const untrusted: Look = { state: 'unreachable', final: true, message: 'another host key' };
export const interrupted: Look = { state: 'interrupted', logBytes: 0 };

export function exited(exitCode: number, more: { timedOut?: true; canceled?: true } = {}): Look {
  return { state: 'exited', exitCode, timedOut: false, canceled: false, logBytes: 0, ...more };
}

export function queued(server: string): Result {
  return { server, state: 'Queued' };
}

/** Its step `app` runs since 10 seconds before `t0`, in this attempt. */
export function running(server: string, attempt = 1, state: 'Running' | 'Queued' = 'Running'): Result {
  const step = { name: 'app', state, attempt, jobID: `${server}-0-${attempt}`, startTime: at(-10) };
  return { server, state: 'Running', instanceID: `i-${server}`, startTime: at(-30), steps: [step] };
}

/** `seconds` before `t0`. */
export function ended(
  server: string,
  state: Result['state'],
  more: Partial<Result> = {},
  seconds = 5,
): Result {
  return { ...running(server), state, completionTime: at(-seconds), ...more };
}

export async function conditionsOf(scene: Scene): Promise<readonly Condition[]> {
  const status = 'results' in scene ? statusUnderWay(scene) : await openRun(scene);
  return status?.conditions ?? [];
}

function statusUnderWay({ results, seen = {}, spec = {}, seconds = 0 }: UnderWay): ScriptRun['status'] {
  const now = t0 + seconds * 1_000;
  const run: ScriptRun = {
    ...words(scriptRunKind),
    metadata: { name: 'run', namespace, uid: 'uid-run', resourceVersion: '1', creationTimestamp: at(-60) },
    spec: {
      target: { deployment: 'shop' },
      operation: 'app',
      phase: 'Operational',
      parallelism: 1,
      drain: false,
      maxFailures: 0,
      cancel: false,
      ...spec,
    },
    status: { startTime: at(-30), results },
  };
  const targets = results.map(({ server }): TargetFacts => ({ ...wellTarget(server), ...seen[server] }));
  const { moves } = decide({ now, run, targets });
  return statusOf(
    run,
    moves.map(({ after }) => after),
    now,
  );
}

function wellTarget(server: string): TargetFacts {
  const step = {
    name: 'app',
    script: 'deploy',
    timeoutSeconds: 60,
    retries: 0,
    onInterruption: 'Fail',
  } as const;
  return {
    server,
    instanceID: `i-${server}`,
    isGone: false,
    steps: [step],
    jobPrefix: server,
    look: { state: 'running', logBytes: 0 },
  };
}

async function openRun({ spec, seconds = 0, arrange }: Opening): Promise<ScriptRun['status']> {
  const site = new Site();
  const key = { namespace, name: 'run' };
  site.addAccount();
  site.addDeployment();
  const asking = aScript('asking', { inputs: [{ name: 'RELEASE', required: true }] });
  const operations = ['app', 'asking'].map((name) => ({ name, script: name }));
  site.addRevision(aRevision([aScript('app'), asking], { operations, boot: [] }));
  site.addServer('web', 1);
  const source = { configMapKeyRef: { name: 'gone', key: 'x' } };
  const metadata = { namespace, name: 'broken' };
  site.kube.seed(scriptKind, { ...words(scriptKind), metadata, spec: { source } as never });
  arrange?.(site);
  site.kube.seed(scriptRunKind, {
    ...words(scriptRunKind),
    metadata: key,
    spec: { target: { server: 'web' }, ...spec } as never,
  });
  await site.clock.advance(seconds * 1_000);
  await site.reconcile(createScriptRunController(site), key);
  return site.cache.get(scriptRunKind, key)?.status;
}
