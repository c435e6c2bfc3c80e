/** What a person reads when the controller may not decide alone, and the two commands that do. Pure. */
import { apiVersion } from '../api/meta.ts';
import type { DurabilityRecord, MySQLCluster } from '../api/mysql-cluster.ts';
import { ackersAmong, surelyRequired } from './proof.ts';

/** What a person is told who has to decide about loss. */
export interface LossFacts {
  readonly cluster: MySQLCluster;
  readonly durability: DurabilityRecord;
  readonly needed: number;
  readonly frozen: readonly string[];
  /** Those among them that may have forgotten: started again, stopped by hand, or told to follow nobody. */
  readonly restarted: readonly string[];
  /** Server and machine of the old primary. */
  readonly oldName: string;
  readonly instanceID: string | undefined;
  readonly deadSince: string;
}

/** Commits were told not to wait; otherwise the record only says that what a replica holds is not proven. */
const letGo: readonly DurabilityRecord['state'][] = ['Releasing', 'Degraded'];

/** Why nothing proves that no acknowledged write is lost; ends without a full stop. */
export function lossText({ durability, needed, frozen, restarted, oldName }: LossFacts): string {
  const { ackers, state, changeTime } = durability;
  if (restarted.length > 0 && !letGo.includes(state)) {
    return `${restarted.join(', ')} was started again, or stopped by hand, and may have forgotten what it had acknowledged`;
  }
  if (surelyRequired(durability) === 0) {
    const since = changeTime === undefined ? '' : ` (${state} since ${changeTime})`;
    return `commits did not surely wait for a replica${since}, so the newest may be on ${oldName} only`;
  }
  const found = ackersAmong(durability, frozen);
  if (found >= needed) return `no replica holds everything that ${oldName} held when its epoch began`;
  const silent = ackers.filter((acker) => !frozen.includes(acker)).join(', ');
  return `${found} of ${ackers.length} acknowledging replicas answer and ${needed} are needed to know of every acknowledged write; ${silent} cannot be asked`;
}

/** The message of PossibleDataLoss: what is the case, and the two commands between which a person chooses. */
export function choiceText(doubt: LossFacts): string {
  const { oldName, deadSince } = doubt;
  return (
    `${oldName} is dead since ${deadSince}, and ${lossText(doubt)}. Nothing was changed. Choose: ` +
    `give up what only ${oldName} may hold: ${acceptCommand(doubt)} ` +
    `or bring ${oldName} back, which then takes writes again by itself: ${repairCommand(doubt)}`
  );
}

/** The way out where replicas hold what they cannot apply; begins a sentence. */
export function stuckText(facts: LossFacts, stuck: readonly string[]): string {
  if (stuck.length === 0) return '';
  return (
    ` ${stuck.join(', ')} can take over without what it received and cannot apply, of which a copy is kept there, when you ` +
    `accept that: ${acceptCommand(facts)}`
  );
}

function acceptCommand({ cluster, oldName }: LossFacts): string {
  const { name, namespace } = cluster.metadata;
  const promotion = {
    apiVersion,
    kind: 'Promotion',
    metadata: { generateName: `${name}-accept-`, namespace },
    spec: { clusterRef: { name }, mode: 'Forced', dataLoss: 'Accept', expectedPrimary: oldName },
  };
  return `echo '${JSON.stringify(promotion)}' | kubectl create -f -`;
}

/** A machine that died may still be running as EC2 sees it; only one that has stopped is started. */
function repairCommand({ oldName, instanceID }: LossFacts): string {
  if (instanceID === undefined) return `start the machine of ${oldName}`;
  const which = `--instance-ids ${instanceID}`;
  return `aws ec2 stop-instances --force ${which}; aws ec2 wait instance-stopped ${which}; aws ec2 start-instances ${which}`;
}
