/** What every implementation of the `Kube` port must do; run against the fake and against a real API server. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { AnyObject, KubeObject, ObjectKey } from '../../../controller/api/meta.ts';
import type { ConfigMap, Resource } from '../../../controller/api/resource.ts';
import { configMaps, controllerRevisions, namespaces } from '../../../controller/api/resource.ts';
import { AppError } from '../../../controller/base/errors.ts';
import type { Kube } from '../../../controller/kube/port.ts';

/** A kind made for this suite: a free-form spec and a status subresource. */
export type Widget = KubeObject<
  { readonly size: number; readonly tags?: Readonly<Record<string, string>> },
  {
    readonly seen?: number;
    readonly notes?: Readonly<Record<string, string>>;
    readonly list?: readonly string[];
  }
>;

export const widgets: Resource<Widget> = {
  group: 'contract.ridgeline.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  scope: 'Namespaced',
};

export interface Subject {
  readonly kube: Kube;
  /** Exists, and holds nothing of the suite's resources. */
  readonly namespace: string;
  /** A change by somebody else: a merge patch without precondition. */
  edit<O extends AnyObject>(resource: Resource<O>, key: ObjectKey, patch: object): Promise<O>;
}

/** The code of the error a call ends with. */
function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : error),
  );
}

/** Declares the suite; `open` is called once. */
export function kubeContract(name: string, open: () => Promise<Subject>): void {
  describe(`Kube contract: ${name}`, () => {
    let subject: Subject;
    let kube: Kube;
    let serial = 0;
    beforeAll(async () => {
      subject = await open();
      kube = subject.kube;
    });

    const draftWidget = (extra: Partial<Widget['metadata']> = {}) => {
      serial += 1;
      const numbered = `w-${String(serial).padStart(3, '0')}`;
      const metadata = { name: numbered, namespace: subject.namespace, ...extra };
      return { apiVersion: 'contract.ridgeline.dev/v1', kind: 'Widget', metadata, spec: { size: 1 } };
    };
    const newWidget = (extra: Partial<Widget['metadata']> = {}) => kube.create(widgets, draftWidget(extra));
    const keyFor = (object: AnyObject): ObjectKey => ({
      namespace: subject.namespace,
      name: object.metadata.name,
    });

    test('creates, with uid, version, generation and time, and reads back', async () => {
      const created = await newWidget();
      expect(created.metadata).toMatchObject({
        generation: 1,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(created.metadata.resourceVersion).toMatch(/^\d+$/);
      expect(Date.parse(created.metadata.creationTimestamp)).toBeGreaterThan(0);
      expect(created).toMatchObject({
        apiVersion: 'contract.ridgeline.dev/v1',
        kind: 'Widget',
        spec: { size: 1 },
      });
      expect(await kube.get(widgets, keyFor(created))).toEqual(created);
    });

    test('get of nothing is undefined', async () => {
      expect(await kube.get(widgets, { namespace: subject.namespace, name: 'absent' })).toBeUndefined();
    });

    test('a taken name is kube.already-exists', async () => {
      const { metadata } = await newWidget();
      expect(await codeOf(newWidget({ name: metadata.name }))).toBe('kube.already-exists');
    });

    test('generateName makes distinct names with the prefix', async () => {
      const map = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { generateName: 'gen-', namespace: subject.namespace },
        data: { a: '1' },
      };
      const [one, two] = [await kube.create(configMaps, map), await kube.create(configMaps, map)];
      expect(one.metadata.name).toMatch(/^gen-.+/);
      expect(one.metadata.name).not.toBe(two.metadata.name);
    });

    test('status is dropped at creation and by patch, and has its own write', async () => {
      const given = { ...(await newWidget({ name: 'with-status' })), status: { seen: 9 } };
      await kube.delete(widgets, given);
      const { metadata: _, ...body } = given;
      const metadata = { name: 'with-status-2', namespace: subject.namespace };
      const created = await kube.create(widgets, { ...body, metadata });
      expect(created.status).toBeUndefined();
      const patched = await kube.patch(widgets, created, { status: { seen: 9 } });
      expect(patched.status).toBeUndefined();
      const written = await kube.writeStatus(widgets, patched, { seen: 3 });
      expect(written.status).toEqual({ seen: 3 });
    });

    test('writeStatus replaces: keys that are gone are removed, and the generation stays', async () => {
      const first = await kube.writeStatus(widgets, await newWidget(), {
        seen: 1,
        notes: { a: 'x', b: 'y' },
        list: ['one', 'two'],
      });
      const second = await kube.writeStatus(widgets, first, { notes: { b: 'z' }, list: ['two'] });
      expect(second.status).toEqual({ notes: { b: 'z' }, list: ['two'] });
      expect(second.metadata.generation).toBe(1);
    });

    test('an equal status is not sent, whatever the order of keys and undefined fields', async () => {
      const first = await kube.writeStatus(widgets, await newWidget(), {
        seen: 1,
        notes: { a: 'x', b: 'y' },
      });
      await subject.edit(widgets, keyFor(first), { metadata: { labels: { moved: 'on' } } });
      // Sent, this would be a conflict.
      const same = { notes: { b: 'y', a: 'x' }, seen: 1, list: undefined } as unknown as NonNullable<
        Widget['status']
      >;
      expect(await kube.writeStatus(widgets, first, same)).toBe(first);
    });

    test('every guarded write of a stale object is kube.conflict and changes nothing', async () => {
      const stale = await newWidget();
      const fresh = await subject.edit(widgets, keyFor(stale), { spec: { size: 2 } });
      expect(await codeOf(kube.writeStatus(widgets, stale, { seen: 1 }))).toBe('kube.conflict');
      expect(await codeOf(kube.patch(widgets, stale, { spec: { size: 3 } }))).toBe('kube.conflict');
      expect(await codeOf(kube.setFinalizers(widgets, stale, ['ridgeline.dev/cleanup']))).toBe(
        'kube.conflict',
      );
      expect(await kube.get(widgets, keyFor(stale))).toEqual(fresh);
    });

    test('the generation counts changes of the spec only', async () => {
      const created = await newWidget();
      const labelled = await kube.patch(widgets, created, { metadata: { labels: { a: 'b' } } });
      expect(labelled.metadata).toMatchObject({ generation: 1, labels: { a: 'b' } });
      const resized = await kube.patch(widgets, labelled, { spec: { size: 5, tags: { x: '1', y: '2' } } });
      expect(resized).toMatchObject({ metadata: { generation: 2 }, spec: { size: 5 } });
      const trimmed = await kube.patch(widgets, resized, { spec: { tags: { x: null } } });
      expect(trimmed).toMatchObject({ metadata: { generation: 3 }, spec: { size: 5, tags: { y: '2' } } });
    });

    test('a patch that changes nothing keeps the version', async () => {
      const created = await newWidget();
      const same = await kube.patch(widgets, created, { spec: { size: 1 } });
      expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    });

    test('a finalizer holds a deleted object until it is removed', async () => {
      const held = await kube.setFinalizers(widgets, await newWidget(), ['ridgeline.dev/cleanup']);
      expect(held.metadata.finalizers).toEqual(['ridgeline.dev/cleanup']);
      expect(await kube.setFinalizers(widgets, held, ['ridgeline.dev/cleanup'])).toBe(held);
      await kube.delete(widgets, held);
      const dying = await kube.get(widgets, keyFor(held));
      expect(Date.parse(dying?.metadata.deletionTimestamp ?? '')).toBeGreaterThan(0);
      if (dying === undefined) throw new Error('the finalizer did not hold the object');
      await kube.delete(widgets, dying);
      expect(
        await codeOf(kube.setFinalizers(widgets, dying, ['ridgeline.dev/cleanup', 'example.com/late'])),
      ).toBe('kube.invalid');
      await kube.setFinalizers(widgets, dying, []);
      expect(await kube.get(widgets, keyFor(held))).toBeUndefined();
    });

    test('a finalizer holds what may not change, whatever its bytes are', async () => {
      const { namespace } = (await newWidget()).metadata;
      const made = await kube.create(controllerRevisions, {
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: { namespace: namespace!, name: 'frozen' },
        revision: 1,
        data: { zone: 'a', script: 'test 1 -lt 2 && echo "<é>" > /tmp/x', count: 1, all: [] },
      });
      const [listed] = (await kube.list(controllerRevisions, { namespace: namespace! })).filter(
        ({ metadata }) => metadata.uid === made.metadata.uid,
      );
      const held = await kube.setFinalizers(controllerRevisions, listed!, ['ridgeline.dev/cleanup']);
      expect(held.metadata.finalizers).toEqual(['ridgeline.dev/cleanup']);
      expect(held.data).toEqual(made.data);
      await kube.delete(controllerRevisions, held);
      const dying = await kube.get(controllerRevisions, keyFor(held));
      await kube.setFinalizers(controllerRevisions, dying!, []);
      expect(await kube.get(controllerRevisions, keyFor(held))).toBeUndefined();
    });

    test('delete removes exactly this incarnation; gone is success', async () => {
      const first = await newWidget();
      await kube.delete(widgets, first);
      await kube.delete(widgets, first);
      const second = await newWidget({ name: first.metadata.name });
      await kube.delete(widgets, first);
      expect(await kube.get(widgets, keyFor(second))).toEqual(second);
      expect(await codeOf(kube.writeStatus(widgets, first, { seen: 1 }))).toMatch(
        /^kube\.(conflict|not-found)$/,
      );
    });

    test('writes to what is gone are kube.not-found', async () => {
      const gone = await newWidget();
      await kube.delete(widgets, gone);
      expect(await codeOf(kube.writeStatus(widgets, gone, { seen: 1 }))).toBe('kube.not-found');
      expect(await codeOf(kube.patch(widgets, gone, { spec: { size: 2 } }))).toBe('kube.not-found');
    });

    test('lists by namespace, labels and fields', async () => {
      const a = await newWidget({ labels: { color: 'red', 'ridgeline.dev/role': 'web' } });
      const b = await newWidget({ labels: { color: 'blue' } });
      const names = async (options: object) => {
        const items = await kube.list(widgets, { namespace: subject.namespace, ...options });
        return items.map((item) => item.metadata.name);
      };
      expect(await names({ labelSelector: 'color' })).toEqual([a.metadata.name, b.metadata.name]);
      expect(await names({ labelSelector: 'color=red' })).toEqual([a.metadata.name]);
      expect(await names({ labelSelector: 'color,color!=red' })).toEqual([b.metadata.name]);
      expect(await names({ labelSelector: 'color in (blue,green)' })).toEqual([b.metadata.name]);
      expect(await names({ labelSelector: 'color=red,ridgeline.dev/role=web' })).toEqual([a.metadata.name]);
      expect(await names({ fieldSelector: `metadata.name=${b.metadata.name}` })).toEqual([b.metadata.name]);
      expect(await kube.list(widgets, { namespace: 'nowhere' })).toEqual([]);
      const listed = await kube.list(widgets, { labelSelector: 'color=red' });
      expect(listed).toEqual([a]);
    });

    test('tells whether it would create an object, and creates nothing', async () => {
      const draft = draftWidget();
      expect(await kube.explainRefusal(widgets, draft)).toBeUndefined();
      const key = { namespace: subject.namespace, name: draft.metadata.name };
      expect(await kube.get(widgets, key)).toBeUndefined();
      const made = await kube.create(widgets, draft);
      expect(await kube.explainRefusal(widgets, draft)).toBeUndefined();
      expect(await kube.get(widgets, key)).toEqual(made);
    });

    test('in a namespace that is being deleted nothing is made, all is asked to go, and what a finalizer keeps can be changed', async () => {
      const namespace = `${subject.namespace}-going`;
      const going = await kube.create(namespaces, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace },
      });
      const held = await newWidget({ namespace, finalizers: ['contract.ridgeline.dev/held'] });
      const key = { namespace, name: held.metadata.name };
      await kube.delete(namespaces, going);
      const asked = await vi.waitUntil(
        async () => {
          const found = await kube.get(widgets, key);
          return found?.metadata.deletionTimestamp === undefined ? undefined : found;
        },
        { timeout: 30_000, interval: 200 },
      );
      expect(await codeOf(newWidget({ namespace }))).toBe('kube.forbidden');
      expect(await kube.explainRefusal(widgets, draftWidget({ namespace }))).toContain('is being terminated');
      const changed = await kube.writeStatus(widgets, asked, { seen: 3 });
      expect(changed.status?.seen).toBe(3);
      await kube.setFinalizers(widgets, changed, []);
      expect(await kube.get(widgets, key)).toBeUndefined();
    }, 40_000);

    test('core objects and cluster-scoped objects work alike', async () => {
      const map: ConfigMap = await kube.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'plain', namespace: subject.namespace },
        data: { key: 'one' },
      });
      const changed = await kube.patch(configMaps, map, { data: { key: 'two' } });
      expect(changed.data).toEqual({ key: 'two' });
      expect(changed.metadata.generation).toBeUndefined();
      expect(await kube.get(namespaces, { name: 'nowhere' })).toBeUndefined();
    });
  });
}
