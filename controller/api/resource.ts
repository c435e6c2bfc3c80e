/** What the API server calls a resource: enough to build its URLs, plus the built-in ones the controller touches. */
import type { AnyObject } from './meta.ts';

/** `Object` is the TypeScript shape of one item; it exists only for the type checker. */
export interface Resource<Object extends AnyObject = AnyObject> {
  /** Empty string for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: 'Cluster' | 'Namespaced';
  /**
   * It may never change in part, and the API server compares its bytes: a patch writes them anew, in another order and
   * with other escapes, and is refused. The whole object as it was read is not.
   */
  readonly isWrittenWhole?: true;
  /** Never read: carries the item type. */
  readonly item?: Object;
}

export type ItemOf<R> = R extends Resource<infer Object> ? Object : never;

/** `group/version`, or `version` alone for the core group. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

export interface Secret extends AnyObject {
  readonly immutable?: boolean;
  readonly type?: string;
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface ConfigMap extends AnyObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface ControllerRevision extends AnyObject {
  readonly revision: number;
  readonly data: unknown;
}

export const secrets: Resource<Secret> = coreResource('Secret', 'secrets');
export const configMaps: Resource<ConfigMap> = coreResource('ConfigMap', 'configmaps');
export const namespaces: Resource = { ...coreResource('Namespace', 'namespaces'), scope: 'Cluster' };
export const controllerRevisions: Resource<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  isWrittenWhole: true,
};

function coreResource(kind: string, plural: string): Resource<never> {
  return { group: '', version: 'v1', kind, plural, scope: 'Namespaced' };
}
