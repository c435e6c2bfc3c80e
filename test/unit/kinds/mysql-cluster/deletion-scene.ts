/** What is decided for a cluster that is deleted, by name of its servers. */
import { expect } from 'vitest';
import type { ConditionStatus } from '../../../../controller/api/conditions.ts';
import { decideDeletion, deletionHold } from '../../../../controller/kinds/mysql-cluster/decide/deletion.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';

export interface FarewellText {
  readonly ready: readonly [ConditionStatus, string, string];
  readonly remove: readonly string[];
  readonly release: readonly string[];
  readonly done: boolean;
}

/** What keeps it, once its deletion is asked for. */
export function holdOf({ cluster }: Observed): string | undefined {
  const metadata = { ...cluster.metadata, deletionTimestamp: '2026-11-23T03:00:00Z' };
  expect(deletionHold(cluster)).toBeUndefined();
  return deletionHold({ ...cluster, metadata });
}

export function farewellOf(observed: Observed): FarewellText {
  const { ready, remove, release, done } = decideDeletion(observed);
  return {
    ready: [ready.status, ready.reason, ready.message],
    remove: remove.map(({ name }) => name),
    release: release.map(({ name }) => name),
    done,
  };
}

/** A person has protected this server. */
export function locked(observed: Observed, name: string): Observed {
  const members = observed.members.map((member) => {
    const { server } = member;
    const kept = { ...server, spec: { ...server.spec, deletionProtection: true } };
    return member.name === name ? { ...member, server: kept } : member;
  });
  return { ...observed, members };
}
