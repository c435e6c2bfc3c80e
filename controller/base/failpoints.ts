/** Named places where a test may kill the controller; each sits between an effect and the record of it. */

export const failpointNames = [
  'launch.before-batch-created',
  'launch.after-batch-created',
  'launch.before-run-instances',
  'launch.after-run-instances',
  'launch.after-batch-status',
  'launch.after-server-bound',
  'boot.after-host-key-read',
  'boot.after-host-key-pinned',
  'boot.after-run-created',
  'boot.before-job-started',
  'boot.after-job-started',
  'boot.after-job-finished',
  'boot.after-log-stored',
  'boot.after-step-recorded',
  'operation.after-drain-recorded',
  'operation.after-drain-marked',
  'operation.after-mark-removed',
  'delete.after-decommission-created',
  'delete.before-terminate',
  'delete.after-terminate',
  'delete.before-finalizer-removed',
  'array.after-scale-recorded',
  'array.after-scale-written',
  'array.after-server-created',
  'array.after-drain-marked',
  'array.after-server-admitted',
  'array.before-server-deleted',
  'array.after-server-deleted',
  'durability.after-acker-recorded',
  'durability.after-acker-enabled',
  'durability.after-acker-disabled',
  'durability.after-acker-removed',
  'durability.after-degrading-recorded',
  'durability.after-releasing-recorded',
  'durability.after-released',
  'durability.after-rearming-recorded',
  'durability.after-armed',
  'durability.after-protected-recorded',
  'credentials.after-pinned',
  'credentials.after-recorded',
  'credentials.after-told',
  'certificates.after-making-recorded',
  'certificates.after-made',
  'certificates.after-trusting-recorded',
  'certificates.after-trusted',
  'certificates.after-presenting-recorded',
  'certificates.after-presented',
  'certificates.after-discarding-recorded',
  'certificates.after-discarded',
  'rejoin.after-starting-recorded',
  'rejoin.after-started',
  'rejoin.after-following-recorded',
  'rejoin.after-readmitted',
  'rejoin.after-refusing-recorded',
  'balancer.before-step',
  'balancer.after-step',
  'balancer.after-publish',
  'failover.after-start-recorded',
  'failover.after-freeze',
  'failover.after-kill',
  'failover.after-cut',
  'failover.after-close',
  'failover.after-catch-up',
  'failover.before-commit',
  'failover.after-commit',
  'failover.after-take-lead',
  'failover.after-follow',
  'failover.after-degrade-recorded',
  'failover.after-open',
  'failover.after-move',
  'failover.after-publish',
  'failover.after-verify',
  'failover.after-wake-events',
  'failover.before-finish',
  'failover.after-turn-back',
  'failover.after-epoch-kept',
  'failover.after-thaw',
  'failover.after-reopen',
] as const;

export type FailpointName = (typeof failpointNames)[number];

export interface Failpoints {
  /** Does nothing, or ends the process here and now when a test armed this name. */
  hit(name: FailpointName): void;
}

export const noFailpoints: Failpoints = { hit: () => undefined };

/** Arms one failpoint: `name` or `name:n` for its n-th hit; `die` must not return. */
export function armFailpoint(text: string, die: () => void): Failpoints {
  const [name, count = '1'] = text.split(':');
  if (!failpointNames.some((known) => known === name)) {
    throw new Error(`unknown failpoint '${name}'; known: ${failpointNames.join(', ')}`);
  }
  let left = Number(count);
  return {
    hit: (hitName) => {
      if (hitName !== name) return;
      left -= 1;
      if (left === 0) die();
    },
  };
}
