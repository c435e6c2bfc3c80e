/** How a kind is declared: one object from which types, defaults, CRD, RBAC and the field reference come. */
import type { z } from 'zod';
import type { KubeObject } from './meta.ts';
import { apiVersion, group, version } from './meta.ts';
import type { Resource } from './resource.ts';

/** A printer column of `kubectl get`; priority 1 shows only with `-o wide`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly priority?: 0 | 1;
}

export interface KindOptions<Spec extends z.ZodType, Status extends z.ZodType> {
  readonly kind: string;
  readonly plural: string;
  /** Starts with `rl`. */
  readonly short: string;
  readonly scope: 'Cluster' | 'Namespaced';
  readonly categories: readonly string[];
  readonly description: string;
  readonly spec: Spec;
  readonly status: Status;
  readonly columns: readonly Column[];
  /** Paths of the scale subresource: spec replicas, status replicas, selector. */
  readonly scale?: readonly [string, string, string];
  readonly selectableFields?: readonly string[];
  /** 52 where the name becomes a part of longer host names; 253 where no other object refers to it. Default 63. */
  readonly maxNameLength?: 52 | 253;
}

/** The spec type of a kind. */
export type SpecOf<K> = K extends Kind<infer Spec, unknown> ? Spec : never;
/** The status type of a kind. */
export type StatusOf<K> = K extends Kind<infer _Spec, infer Status> ? Status : never;

/** A declared kind: what reads and writes its objects, and what everything is generated from. */
export interface Kind<Spec, Status> extends Resource<KubeObject<Spec, Status>> {
  readonly apiVersion: string;
  readonly options: KindOptions<z.ZodType, z.ZodType>;
}

/** An object that was read: nobody changes it in place. */
export type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** The declaration of a kind, with the types of its spec and status; registers nothing (`index.ts` does). */
export function defineKind<Spec extends z.ZodType, Status extends z.ZodType>(
  options: KindOptions<Spec, Status>,
): Kind<Frozen<z.output<Spec>>, Frozen<z.output<Status>>> {
  const { kind, plural, scope } = options;
  return { group, version, apiVersion, kind, plural, scope, options };
}

/** The usual columns: STATE is the reason of the summary condition, AGE stands last. */
export function reasonColumn(conditionType: 'Ready' | 'Succeeded'): Column {
  return {
    name: 'State',
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${conditionType}")].reason`,
  };
}

export const ageColumn: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** Categories of everything a namespace user works with: `kubectl get rl`. */
export const userCategories = ['ridgeline', 'rl'] as const;
