/** Faults that are known and not mended yet: how a violation is told to be one of them. A mend takes its line away. */
import { isFinished } from '../../../controller/api/promotion.ts';
import type { House } from './house.ts';
import { isLive } from './truth.ts';
import type { Invariant, Violation } from './violation.ts';

interface Known {
  readonly means: string;
  readonly shows: (violation: Violation, house: House) => boolean;
}

const is =
  (...invariants: readonly Invariant[]) =>
  ({ invariant }: Violation): boolean =>
    invariants.includes(invariant);

const isLie = is('FalseArmed', 'FalseRedundant');

/** Names are those of the issue that lists them; N: found here first. The first that fits counts. */
export const knownFaults = {
  N2: {
    means:
      'a protected cluster that is being deleted is not looked after any more, and says what was true before',
    shows: (_, { pardons }) => pardons.isCondemned,
  },
  A1: { means: 'it starts over, empty', shows: is('StartedOver') },
  A4: {
    means: 'MySQL acknowledges on SIGTERM what nobody else has',
    shows: ({ lost = [] }, { setting, machinery }) =>
      setting.flavor === 'MySQL' &&
      lost.length > 0 &&
      lost.every((ack) => machinery.terms.some(({ address, at }) => address === ack.server && at === ack.at)),
  },
  A2: {
    means: 'a Server that is being deleted is elected, or counted on',
    shows: (violation, house) =>
      is('LeavingElected')(violation) ||
      (isLie(violation) && recordedAckers(house).some(({ leaves }) => leaves)),
  },
  A3: {
    means: 'a live server is ended while the primary is in doubt',
    shows: (violation, house) => is('HealthyEnded')(violation) && !house.holds('Available'),
  },
  N5: {
    means: 'scaling down gives up a live server that joins, and keeps a replica that is silent',
    shows: (violation, house) => is('HealthyEnded')(violation) && house.holds('Available'),
  },
  A12: {
    means: 'what people do by hand goes unnoticed',
    shows: (violation, { pardons }) =>
      is('WritableReplica', 'UnprotectedPrimary')(violation) || (isLie(violation) && pardons.hasHandiwork),
  },
  A7: {
    means: 'FailoverArmed or Redundant are True though too few ackers are sound',
    shows: (violation, house) => isLie(violation) && recordedAckers(house).some(({ lives }) => !lives),
  },
  A11: {
    means: 'Strict: Rearming or Open wait for ever for an acker that is gone',
    shows: (violation, house) =>
      is('NotHealed')(violation) && house.setting.durability === 'Strict' && isWaitingForAckers(house),
  },
  A6: {
    means: 'a dead acker stays on record for ever',
    shows: (violation, house) =>
      is('NotHealed')(violation) &&
      house.holds('Available') &&
      recordedAckers(house).some(({ lives }) => !lives),
  },
  A14: {
    means: 'two tries have failed, and there is no third although everybody answers again',
    shows: (violation, house) =>
      is('NotHealed')(violation) && house.condition('FailoverArmed')?.reason === 'AcknowledgementNeeded',
  },
  N1: {
    means: 'errant transactions spread: a copy is made from a replica that has them',
    shows: (violation, house) =>
      is('NotHealed')(violation) && house.condition('ReplicationHealthy')?.reason === 'ErrantTransactions',
  },
  N3: {
    means: 'a crashed replica is not started again while nobody leads',
    shows: (violation, house) =>
      is('NotHealed')(violation) &&
      house.condition('FailingOver')?.reason === 'FailoverBlocked' &&
      hasIdleReplica(house),
  },
  N6: {
    means:
      'what a running Promotion writes wakes its own cluster at once, so a step that is to be tried again after 300 ms floods the API server',
    shows: (violation, house) =>
      is('Restless')(violation) &&
      house.promotions.some((one) => !isFinished(one) && one.status?.epoch !== undefined),
  },
  N4: {
    means:
      'an attempt that found the primary well hides that redundancy is restored: held back for minIntervalSeconds',
    shows: (violation, house) =>
      is('NotHealed')(violation) && house.condition('FailoverArmed')?.reason === 'MinIntervalNotElapsed',
  },
} as const satisfies Readonly<Record<string, Known>>;

export type KnownClass = keyof typeof knownFaults;

export function classOf(violation: Violation, house: House): KnownClass | undefined {
  const names = Object.keys(knownFaults) as KnownClass[];
  return names.find((name) => (knownFaults[name] as Known).shows(violation, house));
}

/** What the record counts on. */
function recordedAckers(house: House) {
  const { ackers = [] } = house.cluster?.status?.durability ?? {};
  return ackers.map((name) => {
    const server = house.server(name);
    return {
      lives: server !== undefined && isLive(house, server),
      leaves: server?.metadata.deletionTimestamp !== undefined,
    };
  });
}

function isWaitingForAckers({ cluster, promotions }: House): boolean {
  const isOpening = promotions.some((one) => !isFinished(one) && one.status?.currentStep === 'Open');
  return isOpening || cluster?.status?.durability?.state === 'Rearming';
}

/** Its host answers, and its process is gone. */
function hasIdleReplica({ servers, machinery }: House): boolean {
  return servers.some(({ status }) => {
    const database = machinery.database(status?.privateIP);
    return database?.host === 'Up' && database.process === 'Gone';
  });
}
