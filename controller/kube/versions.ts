/** Compares resource versions: decimal integers of any length, as the API server guarantees for objects of one resource. */

/** Negative when `a` is older than `b`, 0 when equal, positive when newer. An empty string is older than all. */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
