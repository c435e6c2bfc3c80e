/** Situations of a Server that several tables of conditions use, and what it says of itself in them. */
import { scriptKind } from '../../../../controller/api/script.ts';
import { serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { templateRevision } from '../../../../controller/api/template-revision.ts';
import { checkServerInputs } from '../../../../controller/inputs/server-inputs.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import type { HealthFacts } from '../../../../controller/kinds/server/decide/plan.ts';
import { statusOf } from '../../../../controller/kinds/server/status.ts';
import { aServer, at, finished, type ObservedServer } from '../../../builders/server.ts';
import { aRevision, aScript, namespace, Site, words } from '../../../builders/site.ts';

export type Scene = ObservedServer | (() => Promise<ObservedServer>);

export async function conditionsOf(scene: Scene) {
  const { observed } = typeof scene === 'function' ? await scene() : scene;
  return statusOf(observed, decide(observed)).conditions ?? [];
}

/** The same server in its next pass, with what this one has written. */
export function next(server: ObservedServer): ObservedServer {
  return server.status(statusOf(server.observed, decide(server.observed)));
}

export function health(result: HealthFacts['result'], failures = 0, message = 'HTTP 200'): HealthFacts {
  return { result, failures, message, nextCheck: 10_000 };
}

/** Booted, and its check says this. */
export function checked(...facts: Parameters<typeof health>): ObservedServer {
  return aServer()
    .booted()
    .with({ health: health(...facts) });
}

/** In service since long ago, when its check says this. */
export function serving(...facts: Parameters<typeof health>): ObservedServer {
  const well = aServer()
    .operational()
    .with({ health: health('passed') });
  return next(well).with({ health: health(...facts) });
}

export function attested(state: 'absent' | 'conflict', seconds = 10): ObservedServer {
  return aServer().machine().with({ attestation: { state } }).now(seconds);
}

export function connected(
  state: 'mismatch' | 'refused' | 'unreachable' | 'conflict',
  message: string,
  seconds = 10,
): ObservedServer {
  return aServer().trusted().with({ shell: { state, message } }).now(seconds);
}

/** Its launch failed with this reason. */
export function refused(reason: string, message = 'no'): ObservedServer {
  return aServer().asking().answered({ outcome: 'Failed', reason, message });
}

/** Its step `base` runs. */
export function bootStep(): ObservedServer {
  const step = { name: 'base', state: 'Running', attempt: 1, startTime: at(5) } as const;
  return aServer().booting({ results: [{ server: 'web', state: 'Running', steps: [step] }] });
}

export const failedBoot = aServer().booting(finished('ScriptFailed', 'Step base (base) exited 1.'));
export const gone = { machine: { state: 'gone', because: 'it was terminated [User]' } } as const;
export const unseen = { machine: { state: 'unseen' } } as const;
export const silentCloud = {
  machine: { state: 'unknown', message: 'EC2 cannot be asked about i-0c0ffee0: timeout' },
} as const;
export const unready = {
  basis: { ready: false, message: 'Deployment/shop does not exist. Create it.' },
} as const;

/**
 * Told, before its machine is launched, to a server with these inputs whose boot script declares those. The server
 * `other` is of the same template, has no address, and waits for that of this one.
 */
export function withInputs(declared: readonly object[], inputs: readonly object[] = []): Scene {
  return async () => {
    const site = new Site();
    site.addDeployment();
    site.addSecret({ name: 'db' }, { password: 'secret' });
    addTemplate(site, declared);
    site.addServer('other', 1, {
      spec: {
        serverTemplateRef: { name: 'web' },
        inputs: [{ name: 'PASSWORD', valueFrom: endpoint('web') }],
      },
      status: { privateIP: undefined },
    });
    const server = aServer().spec({ inputs: inputs as never });
    const template = templateRevision.parse(aRevision([aScript('boot', { inputs: declared })]));
    const outcome = await checkServerInputs(site, { server: server.observed.server, template });
    return server.basis({ inputs: outcome });
  };
}

function addTemplate(site: Site, inputs: readonly object[]): void {
  site.kube.seed(scriptKind, {
    ...words(scriptKind),
    metadata: { namespace, name: 'boot' },
    spec: { source: { inline: 'true' }, inputs } as never,
  });
  site.kube.seed(serverTemplateKind, {
    ...words(serverTemplateKind),
    metadata: { namespace, name: 'web' },
    spec: {
      image: { id: 'ami-0123' },
      instance: { types: ['t3.small'] },
      boot: [{ name: 'boot', scriptRef: { name: 'boot' } }],
    } as never,
  });
}

export function endpoint(name: string): object {
  return { endpointRef: { kind: 'Server', name, endpoint: 'Private' } };
}
