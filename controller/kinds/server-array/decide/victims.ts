/** Which servers go first when an array shrinks. Pure. */
import type { Instant } from '../../../base/clock.ts';

export interface Candidate {
  readonly name: string;
  readonly zone: string | undefined;
  readonly createdAt: Instant;
  /** Stranded, lost or failed: it serves nobody. */
  readonly failed: boolean;
  /** Never became Operational; it serves nobody yet. */
  readonly booting: boolean;
  readonly outdated: boolean;
  /** Locked by `deletionProtection`: never chosen. */
  readonly locked: boolean;
}

/**
 * At most `count` names, in order: failed, outdated, still booting, most populated zone, oldest. Zones are counted
 * again after each choice, so that what stays is spread evenly. Fewer come back when the rest is locked.
 */
export function chooseVictims(candidates: readonly Candidate[], count: number): readonly string[] {
  const left = [...candidates];
  const chosen: string[] = [];
  while (chosen.length < count) {
    const populations = populationOf(left);
    const next = left.filter((candidate) => !candidate.locked).toSorted(byVictim(populations))[0];
    if (next === undefined) break;
    chosen.push(next.name);
    left.splice(left.indexOf(next), 1);
  }
  return chosen;
}

function byVictim(populations: ReadonlyMap<string, number>): (a: Candidate, b: Candidate) => number {
  const crowd = ({ zone }: Candidate) => populations.get(zone ?? '') ?? 0;
  return (a, b) =>
    Number(b.failed) - Number(a.failed) ||
    Number(b.outdated) - Number(a.outdated) ||
    Number(b.booting) - Number(a.booting) ||
    crowd(b) - crowd(a) ||
    a.createdAt - b.createdAt ||
    (a.name < b.name ? -1 : 1);
}

function populationOf(candidates: readonly Candidate[]): ReadonlyMap<string, number> {
  const populations = new Map<string, number>();
  for (const { zone = '' } of candidates) populations.set(zone, (populations.get(zone) ?? 0) + 1);
  return populations;
}

/** The zone for one more server: the least populated of `zones`, the first of them on a tie. */
export function chooseZone(
  zones: readonly string[],
  members: readonly { readonly zone: string | undefined }[],
): string | undefined {
  const population = (zone: string) => members.filter((member) => member.zone === zone).length;
  return zones.toSorted((a, b) => population(a) - population(b))[0];
}
