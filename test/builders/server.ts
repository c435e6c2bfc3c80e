/** Servers at any stage of their life, as the decision sees them. */
import type { LaunchBatch, LaunchBatchStatus } from '../../controller/api/launch-batch.ts';
import { launchBatchKind } from '../../controller/api/launch-batch.ts';
import { finalizer } from '../../controller/api/meta.ts';
import type { ScriptRun } from '../../controller/api/script-run.ts';
import { scriptRunKind } from '../../controller/api/script-run.ts';
import { type Server, type ServerSpec, type ServerStatus, serverKind } from '../../controller/api/server.ts';
import { type TemplateRevision, templateRevision } from '../../controller/api/template-revision.ts';
import type { MachineState } from '../../controller/cloud/port.ts';
import type { Basis, Observed } from '../../controller/kinds/server/decide/plan.ts';
import { fakeHostKeyPin } from '../fakes/clouds.ts';
import { aRevision, aScript } from './site.ts';

export const t0 = Date.UTC(2026, 0, 1, 12);
export const instanceID = 'i-0c0ffee0';
const serverUid = 'uid-web';

/** `t0` plus so many seconds, as status stores times. */
export function at(seconds: number): string {
  return new Date(t0 + seconds * 1_000).toISOString();
}

type ReadyBasis = Basis & { readonly ready: true };

const offerings = [
  { instanceType: 't3.small', subnetID: 'subnet-a', zone: 'eu-west-1a' },
  { instanceType: 't3a.small', subnetID: 'subnet-a', zone: 'eu-west-1a' },
  { instanceType: 't3.small', subnetID: 'subnet-b', zone: 'eu-west-1b' },
];

/** A Server seen `now` seconds after `t0`; every method answers a changed copy. */
export class ObservedServer {
  readonly observed: Observed;

  constructor(observed: Observed = waiting()) {
    this.observed = observed;
  }

  with(changes: Partial<Observed>): ObservedServer {
    return new ObservedServer({ ...this.observed, ...changes });
  }

  now(seconds: number): ObservedServer {
    return this.with({ now: t0 + seconds * 1_000 });
  }

  spec(changes: Partial<ServerSpec>): ObservedServer {
    const { server } = this.observed;
    return this.with({ server: { ...server, spec: { ...server.spec, ...changes } } });
  }

  metadata(changes: Partial<Server['metadata']>): ObservedServer {
    const { server } = this.observed;
    return this.with({ server: { ...server, metadata: { ...server.metadata, ...changes } } });
  }

  status(changes: ServerStatus): ObservedServer {
    const status = { ...this.observed.status, ...changes };
    return this.with({ status, server: { ...this.observed.server, status } });
  }

  basis(changes: Partial<ReadyBasis>): ObservedServer {
    return this.with({ basis: { ...readyBasis, ...changes } });
  }

  revision(changes: object): ObservedServer {
    return this.with({ revision: revisionWith(changes) });
  }

  deleting(): ObservedServer {
    return this.metadata({ deletionTimestamp: at(0) });
  }

  /** It asked for a machine. */
  asking(attempt = 1, offering: object = offerings[0] ?? {}): ObservedServer {
    return this.status({
      incarnation: 1,
      accountRef: { name: 'default' },
      launchRequest: {
        template: 'web',
        revision: '00000001',
        incarnation: 1,
        attempt,
        instanceType: 't3.small',
        requestTime: at(0),
        ...offering,
      },
    });
  }

  answered(status: LaunchBatchStatus): ObservedServer {
    return this.with({ batch: aBatch(status) });
  }

  /** It has a machine in this state. */
  machine(state: MachineState = 'running'): ObservedServer {
    const machine = {
      id: instanceID,
      state,
      type: 't3.small',
      imageId: 'ami-0123',
      zone: 'eu-west-1a',
      privateIp: '10.0.0.1',
      launchTime: t0,
      launchIndex: 0,
      tags: {},
    };
    return this.asking()
      .status({
        instanceID,
        launchTime: at(0),
        bootStartTime: at(0),
        templateName: 'web',
        templateRevision: '00000001',
        launchBatchRef: { name: 'lb-1' },
        launchIndex: 0,
      })
      .with({ machine: { state: 'present', machine }, revision: revisionWith({}), basis: undefined });
  }

  /** Its host key is pinned. */
  trusted(): ObservedServer {
    return this.machine()
      .status({ sshHostKeys: [fakeHostKeyPin] })
      .with({ shell: { state: 'verified' } });
  }

  /** Its boot run exists and says this. */
  booting(run: Partial<ScriptRun['status']> = {}): ObservedServer {
    return this.trusted()
      .status({ bootAttempt: 1, bootRunRef: { name: 'web-boot-1', uid: 'uid-run' } })
      .with({ bootRun: aRun('web-boot-1', run) });
  }

  booted(): ObservedServer {
    return this.booting(finished('Completed')).status({ bootedTime: at(20) });
  }

  operational(): ObservedServer {
    return this.booted().status({ operationalTime: at(21), bootSeconds: 21 });
  }
}

export function aServer(): ObservedServer {
  return new ObservedServer();
}

/** Conditions of a run that ended so. */
export function finished(reason: string, message = ''): NonNullable<ScriptRun['status']> {
  const common = { message, lastTransitionTime: at(10), observedGeneration: 1 };
  const status = reason === 'Completed' ? 'True' : 'False';
  return {
    conditions: [
      { type: 'Succeeded', status, reason, ...common },
      { type: 'Finished', status: 'True', reason, ...common },
    ],
  };
}

export function aRun(name: string, status: ScriptRun['status'] = {}, ownerUid = serverUid): ScriptRun {
  return {
    apiVersion: scriptRunKind.apiVersion,
    kind: scriptRunKind.kind,
    metadata: {
      name,
      namespace: 'shop',
      uid: 'uid-run',
      resourceVersion: '1',
      creationTimestamp: at(0),
      ownerReferences: [{ apiVersion: serverKind.apiVersion, kind: 'Server', name: 'web', uid: ownerUid }],
    },
    spec: {
      target: { server: 'web' },
      phase: 'Boot',
      parallelism: 1,
      drain: false,
      maxFailures: 0,
      cancel: false,
    },
    status,
  };
}

export function aBatch(status: LaunchBatchStatus = {}, slots = 1): LaunchBatch {
  return {
    apiVersion: launchBatchKind.apiVersion,
    kind: launchBatchKind.kind,
    metadata: {
      name: 'lb-1',
      namespace: 'shop',
      uid: 'uid-batch',
      resourceVersion: '1',
      creationTimestamp: at(0),
    },
    spec: {
      accountRef: { name: 'default' },
      serverTemplateRef: { name: 'web' },
      templateRevision: '00000001',
      request: {
        minCount: 1,
        maxCount: slots,
        imageID: 'ami-0123',
        instanceType: 't3.small',
        subnetID: 'subnet-a',
        securityGroupIDs: [],
        spot: false,
        metadataHopLimit: 1,
        userData: '#!/bin/bash\n',
        tags: {},
      },
      slots: Array.from({ length: slots }, (_, index) => ({
        index,
        server: index === 0 ? 'web' : `web-${index}`,
        serverUID: index === 0 ? serverUid : `${serverUid}-${index}`,
        incarnation: 1,
        attempt: 1,
      })),
    },
    status,
  };
}

const readyBasis: ReadyBasis = {
  ready: true,
  accountName: 'default',
  template: 'web',
  revision: '00000001',
  inputs: { status: 'True', reason: 'Resolved', message: '1 inputs resolved.', sources: [] },
  offerings,
  soldOut: [],
  room: 5,
  maxServers: 20,
};

function revisionWith(changes: object): TemplateRevision {
  const decommission = [{ name: 'flush', script: 'flush' }];
  const scripts = [aScript('base'), aScript('flush')];
  return templateRevision.parse(aRevision([aScript('base')], { scripts, decommission, ...changes }));
}

/** Just created, with everything it refers to in place. */
function waiting(): Observed {
  const server: Server = {
    apiVersion: serverKind.apiVersion,
    kind: serverKind.kind,
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: serverUid,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: at(0),
      finalizers: [finalizer],
    },
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'web' },
      power: 'Running',
      deletionProtection: false,
      deletionPolicy: 'Terminate',
    },
  };
  return {
    now: t0,
    server,
    status: {},
    suspended: false,
    owner: undefined,
    draining: false,
    basis: readyBasis,
    adoption: undefined,
    account: undefined,
    batch: undefined,
    revision: undefined,
    machine: { state: 'none' },
    attestation: undefined,
    shell: undefined,
    bootRun: undefined,
    decommissionRun: undefined,
    health: undefined,
  };
}
