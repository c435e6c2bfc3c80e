/** Objects that do not fit their kind's schema: said in their status, so that nobody has to read logs to learn it. */
import type { Condition } from '../api/conditions.ts';
import { findCondition, stampConditions } from '../api/conditions.ts';
import type { KubeObject, ObjectKey } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import { type Clock, timestamp } from '../base/clock.ts';
import type { Kube } from '../kube/port.ts';
import type { Store } from './store.ts';

type Status = Readonly<Record<string, unknown>> & { readonly conditions?: readonly Condition[] };
type Conditioned = KubeObject<unknown, Status>;

/** The reason of `Ready` on such an object. */
const misfitReason = 'InvalidObject';

/**
 * Writes `Ready=False` on the object when it does not fit. Returns whether it did not: such an object must not
 * be reconciled, because its fields are not what their types say.
 */
export async function reportMisfit(
  { kube, store, clock }: { readonly kube: Kube; readonly store: Store; readonly clock: Clock },
  key: ObjectKey,
): Promise<boolean> {
  const problem = store.problem(key);
  const object = store.get(key) as Conditioned | undefined;
  if (problem === undefined || object === undefined) return false;
  const message = `${problem}. This version of the controller cannot read the object: correct the field, or install CRDs and controller of the same release.`;
  const before = findCondition(object.status, 'Ready');
  if (before?.reason === misfitReason && before.message === message) return true;
  const stamp = { generation: object.metadata.generation ?? 0, at: timestamp(clock.now()) };
  const others = (object.status?.conditions ?? []).filter((condition) => condition.type !== 'Ready');
  const [ready] = stampConditions(
    object.status?.conditions,
    [{ type: 'Ready', status: 'False', reason: misfitReason, message }],
    stamp,
  );
  const conditions = ready === undefined ? others : [...others, ready];
  await kube.writeStatus(store.resource as Resource<Conditioned>, object, { ...object.status, conditions });
  return true;
}
