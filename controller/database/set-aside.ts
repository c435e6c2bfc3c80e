/** Where what was received and is given up is kept. Pure. */

/** Where a host keeps what its server had received and did not apply when this epoch began. */
export function setAsideFolder(epoch: number): string {
  return `/var/lib/ridgeline/set-aside/epoch-${epoch}`;
}
