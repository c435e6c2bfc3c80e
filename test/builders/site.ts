/** A small site on fakes: an account, a deployment and servers that answer, with the ports that kinds are given. */
import { pino } from 'pino';
import { KubeAccounts } from '../../controller/accounts/accounts.ts';
import { cloudAccountKind } from '../../controller/api/cloud-account.ts';
import { siteDeploymentKind } from '../../controller/api/deployment.ts';
import type { ObjectKey } from '../../controller/api/meta.ts';
import { controllerRevisions, secrets } from '../../controller/api/resource.ts';
import { type Server, serverKind } from '../../controller/api/server.ts';
import { templateRevision } from '../../controller/api/template-revision.ts';
import type { Failpoints } from '../../controller/base/failpoints.ts';
import type { KindController, ReconcileResult } from '../../controller/kube/reconciler.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeClouds, fakeHostKeyPin } from '../fakes/clouds.ts';
import { FakeEvents } from '../fakes/events.ts';
import { FakeKube } from '../fakes/kube.ts';
import { FakeShell } from '../fakes/shell.ts';
import { FakeView } from '../fakes/view.ts';

export const namespace = 'shop';
export const installation = 'installation-1';
export const controllerNamespace = 'ridgeline-system';

/** A frozen script as revisions hold it; its text is what a test tells the fake shell to act upon. */
export function aScript(name: string, more: object = {}): object {
  return { name, sha256: 'a'.repeat(64), text: name, ...more };
}

/** Revision data with these scripts as boot steps of the same names, and whatever else a test wants. */
export function aRevision(scripts: readonly object[], more: object = {}): object {
  const steps = scripts.map((script) => (script as { readonly name: string }).name);
  return {
    imageID: 'ami-0123',
    instance: { types: ['t3.small'] },
    securityGroupIDs: [],
    scripts,
    boot: steps.map((name) => ({ name, script: name })),
    operations: [],
    decommission: [],
    inputs: [],
    health: {},
    bootDeadlineSeconds: 600,
    ...more,
  };
}

export class Site {
  readonly clock = new FakeClock();
  readonly kube = new FakeKube(this.clock);
  readonly cache = this.kube.cache;
  readonly events = new FakeEvents();
  readonly shell = new FakeShell(this.clock);
  readonly clouds = new FakeClouds(this.clock);
  readonly accounts = new KubeAccounts({
    kube: this.kube,
    clock: this.clock,
    clouds: this.clouds,
    views: { of: (target) => new FakeView(this.clouds.of(target).machines, this.clock) },
    installation,
    namespace: controllerNamespace,
  });
  readonly controllerNamespace = controllerNamespace;
  readonly installation = installation;
  /** Replaced by tests that crash the controller. */
  failpoints: Failpoints = { hit: () => undefined };

  get cloud() {
    return this.clouds.of({
      region: 'us-east-1',
      endpoints: {},
      credentials: { type: 'Ambient' },
      installation,
    });
  }

  /** CloudAccount/default with a login key, ready to be used. */
  addAccount(spec: object = {}): void {
    this.addSecret(
      { namespace: controllerNamespace, name: 'ridgeline-ssh-default' },
      { 'ssh-privatekey': 'KEY' },
    );
    this.kube.seed(cloudAccountKind, {
      ...words(cloudAccountKind),
      metadata: { name: 'default' },
      spec: {
        region: 'us-east-1',
        allowedNamespaces: { from: 'All' },
        stateStore: { bucket: 'state', prefix: 'prod/' },
        ...spec,
      } as never,
      status: { observedGeneration: 1, conditions: [condition('Ready', 'Connected')] },
    });
  }

  addDeployment(spec: object = {}): void {
    const metadata = { namespace, name: 'shop' };
    this.kube.seed(siteDeploymentKind, { ...words(siteDeploymentKind), metadata, spec: spec as never });
  }

  addSecret(key: ObjectKey, values: Readonly<Record<string, string>>): void {
    const data = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    );
    this.kube.seed(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, ...key }, data });
  }

  addRevision(data: object, name = 'app-00000001'): void {
    this.kube.seed(controllerRevisions, {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { namespace, name },
      revision: 1,
      data: templateRevision.parse(data),
    });
  }

  /** An Operational server at 10.0.0.`number` whose host answers. */
  addServer(
    name: string,
    number: number,
    more: { readonly spec?: object; readonly status?: object } = {},
  ): Server {
    const privateIP = `10.0.0.${number}`;
    this.shell.addHost(privateIP, [fakeHostKeyPin]);
    return this.kube.seed(serverKind, {
      ...words(serverKind),
      metadata: { namespace, name },
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'app' },
        ...more.spec,
      } as never,
      status: {
        instanceID: `i-00${number}`,
        privateIP,
        zone: 'us-east-1a',
        sshHostKeys: [fakeHostKeyPin],
        templateRevision: '00000001',
        conditions: [condition('Ready', 'Operational'), condition('Booted', 'ScriptsSucceeded')],
        ...more.status,
      },
    });
  }

  async reconcile(controller: KindController, key: ObjectKey): Promise<ReconcileResult> {
    return controller.reconcile(key, {
      log: pino({ level: 'silent' }),
      signal: new AbortController().signal,
      now: this.clock.now(),
    });
  }

  /** Reconciles one key as the runtime would, letting time pass in between, until `isDone` says so. */
  async settle(controller: KindController, key: ObjectKey, isDone: () => boolean): Promise<void> {
    for (let pass = 0; pass < 500; pass += 1) {
      const { after } = await this.reconcile(controller, key);
      if (isDone()) return;
      if (after === undefined) throw new Error(`${controller.name} waits for something else in pass ${pass}`);
      await this.clock.advance(after);
    }
    throw new Error(`${controller.name} did not settle`);
  }
}

/** A True condition as of generation 1. */
export function condition(type: string, reason: string) {
  return {
    type,
    status: 'True' as const,
    reason,
    message: '',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00.000Z',
  };
}

export function words(kind: { readonly apiVersion: string; readonly kind: string }) {
  return { apiVersion: kind.apiVersion, kind: kind.kind };
}
