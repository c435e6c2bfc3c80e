/** The real client against a real API server keeps the same contract as the fake. */
import { afterAll, expect, test } from 'vitest';
import { type AnyObject, fieldManager, type ObjectKey } from '../../../controller/api/meta.ts';
import type { Resource } from '../../../controller/api/resource.ts';
import { hasCode } from '../../../controller/base/errors.ts';
import type { Kube } from '../../../controller/kube/port.ts';
import { type Cluster, openCluster } from './cluster.ts';
import { kubeContract, widgets } from './suite.ts';

let cluster: Cluster | undefined;

afterAll(() => cluster?.[Symbol.asyncDispose]());

kubeContract('the API server', async () => {
  cluster = await openCluster();
  const { rest } = cluster.connect();
  return {
    kube: rest,
    namespace: await cluster.namespace('contract'),
    edit: (resource, key, patch) => edit(rest, { resource, key, patch }),
  };
});

test('fields that are written belong to the controller, by name', async () => {
  const { rest } = cluster!.connect();
  const namespace = await cluster!.namespace('owners');
  const created = await rest.create(widgets, {
    apiVersion: 'contract.ridgeline.dev/v1',
    kind: 'Widget',
    metadata: { name: 'owned', namespace },
    spec: { size: 1 },
  });
  const patched = await rest.patch(widgets, created, { spec: { size: 2 } });
  const [owner, ...others] = patched.metadata.managedFields ?? [];
  expect(owner).toMatchObject({ manager: fieldManager, fieldsV1: { 'f:spec': { 'f:size': {} } } });
  expect(others).toEqual([]);
});

interface Edit<O extends AnyObject> {
  readonly resource: Resource<O>;
  readonly key: ObjectKey;
  readonly patch: object;
}

/** Reads and patches until nobody came in between. */
async function edit<O extends AnyObject>(kube: Kube, { resource, key, patch }: Edit<O>): Promise<O> {
  for (;;) {
    const current = await kube.get(resource, key);
    if (current === undefined) throw new Error(`there is no ${key.name} to edit`);
    try {
      return await kube.patch(resource, current, patch);
    } catch (error) {
      if (!hasCode(error, 'kube.conflict')) throw error;
    }
  }
}
