/** What a person reads when the controller may not decide alone, and the two commands that do. Pure. */
import { apiVersion } from '../api/meta.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import { ackersAmong, surelyRequired, type Durability } from './proof.ts';

export interface Doubt {
  readonly cluster: MySQLCluster;
  readonly durability: Durability;
  readonly needed: number;
  readonly frozen: readonly string[];
  /** Server and machine of the old primary. */
  readonly oldName: string;
  readonly instanceID: string | undefined;
  readonly deadSince: string;
}

/** Why nothing proves that no acknowledged write is lost. */
export function lossText({ durability, needed, frozen }: Doubt): string {
  const { ackers, state, changeTime } = durability;
  if (surelyRequired(durability) === 0) {
    const since = changeTime === undefined ? '' : ` (${state} since ${changeTime})`;
    return `commits did not wait for a replica${since}, so the newest writes may exist only there`;
  }
  const lacking = ackers.filter((acker) => !frozen.includes(acker));
  const found = ackersAmong(durability, frozen);
  const silent = lacking.length === 0 ? '' : `; ${lacking.join(', ')} cannot be asked`;
  return `${found} of ${ackers.length} acknowledging replicas answer and ${needed} are needed to know every acknowledged write${silent}`;
}

/** The message of PossibleDataLoss: what is the case, and the two commands between which a person chooses. */
export function choiceText(doubt: Doubt): string {
  const { oldName, deadSince } = doubt;
  return (
    `${oldName} is dead since ${deadSince}; ${lossText(doubt)}. Nothing was changed. Choose: ` +
    `give up what only ${oldName} may hold: ${acceptCommand(doubt)} ` +
    `or bring ${oldName} back, it then takes writes again by itself: ${repairCommand(doubt)}`
  );
}

function acceptCommand({ cluster, oldName }: Doubt): string {
  const { name, namespace } = cluster.metadata;
  const promotion = {
    apiVersion,
    kind: 'Promotion',
    metadata: { generateName: `${name}-accept-`, namespace },
    spec: { clusterRef: { name }, mode: 'Forced', dataLoss: 'Accept', expectedPrimary: oldName },
  };
  return `echo '${JSON.stringify(promotion)}' | kubectl create -f -`;
}

function repairCommand({ oldName, instanceID }: Doubt): string {
  return instanceID === undefined
    ? `start the machine of ${oldName}`
    : `aws ec2 start-instances --instance-ids ${instanceID}`;
}
