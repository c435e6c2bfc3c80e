/** A control plane for one test file, in a folder of its own, with the suite's kind installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Condition } from '../../../controller/api/conditions.ts';
import type { AnyObject, KubeObject } from '../../../controller/api/meta.ts';
import type { Resource } from '../../../controller/api/resource.ts';
import { namespaces } from '../../../controller/api/resource.ts';
import { Dispatcher } from '../../../controller/kube/dispatcher.ts';
import type { Kube, WriteThrough } from '../../../controller/kube/port.ts';
import { Rest } from '../../../controller/kube/rest.ts';
import { ensureBinaries } from '../../../lab/kube/build.ts';
import { type ControlPlane, startControlPlane } from '../../../lab/kube/control-plane.ts';
import { widgets } from './suite.ts';

export interface Cluster extends AsyncDisposable {
  readonly plane: ControlPlane;
  /** A client of its own; closed with the cluster. */
  connect(options?: ConnectOptions): { readonly rest: Rest; readonly dispatcher: Dispatcher };
  /** Makes a namespace and returns its name. */
  namespace(name: string): Promise<string>;
}

export interface ConnectOptions {
  readonly writeThrough?: WriteThrough;
  /** Another address for the server, for a proxy in between. */
  readonly server?: string;
  /** Of each call, in milliseconds. */
  readonly deadline?: number;
}

type Crd = KubeObject<object, { readonly conditions?: readonly Condition[] }>;

const crds: Resource<Crd> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  scope: 'Cluster',
};

/** Takes about 5 s once the binaries are there. */
export async function openCluster(): Promise<Cluster> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-kube-'));
  const binaries = await ensureBinaries(() => undefined);
  const plane = await startControlPlane({ dir, lifetime: 'child', binaries });
  const dispatchers: Dispatcher[] = [];
  const connect = ({ writeThrough, server = plane.url, deadline = 30_000 }: ConnectOptions = {}) => {
    const dispatcher = new Dispatcher(() => loadConfig(plane.kubeconfig, server));
    dispatchers.push(dispatcher);
    return { rest: new Rest({ dispatcher, deadline, ...(writeThrough && { writeThrough }) }), dispatcher };
  };
  const { rest } = connect();
  await installWidgets(rest);
  return {
    plane,
    connect,
    namespace: async (name) => {
      await rest.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      return name;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.close()));
      await plane.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function loadConfig(file: string, server: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  const [cluster] = config.clusters;
  if (cluster === undefined) throw new Error(`${file} names no cluster`);
  // The proxy speaks plain HTTP, which the library allows only together with this.
  config.clusters = [{ ...cluster, server, skipTLSVerify: server.startsWith('http:') }];
  return config;
}

async function installWidgets(kube: Kube): Promise<void> {
  const { group, plural, kind, version } = widgets;
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const created = await kube.create(crds, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } },
        },
      ],
    },
  });
  while (!(await isEstablished(kube, created))) await sleep(50);
}

async function isEstablished(kube: Kube, crd: AnyObject): Promise<boolean> {
  const found = await kube.get(crds, { name: crd.metadata.name });
  const isTrue = found?.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  return isTrue === true;
}
