/** Faults that are known and not mended yet: how a violation is told to be one of them. A mend takes its line away. */
import { serverTemplateKind } from '../../../controller/api/server-template.ts';
import { type House, templateKey } from './house.ts';
import { type Acker, recordedAckers } from './truth.ts';
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

/** As they were when the promise was tested, if that was earlier. */
function ackersOf({ ackers }: Violation, house: House): readonly Acker[] {
  return ackers ?? recordedAckers(house);
}

/** Names are those of the issue that lists them; N: found here first. The first that fits counts. */
export const knownFaults = {
  N2: {
    means:
      'a protected cluster that is being deleted is not looked after any more, and says what was true before',
    shows: (_, { pardons }) => pardons.isCondemned,
  },
  B1: {
    means: 'servers are taken out of service when their template is deleted',
    shows: (violation, { site }) =>
      (isLie(violation) || is('NotReplaced')(violation)) &&
      site.cache.get(serverTemplateKind, templateKey) === undefined,
  },
  A1: { means: 'it starts over, empty', shows: is('StartedOver') },
  A2: {
    means: 'a Server that is being deleted is elected, or counted on',
    shows: (violation, house) =>
      is('LeavingElected')(violation) ||
      (isLie(violation) && ackersOf(violation, house).some(({ leaves }) => leaves)),
  },
  A7: {
    means: 'FailoverArmed or Redundant are True though too few ackers are sound',
    shows: (violation, house) =>
      isLie(violation) && ackersOf(violation, house).some(({ answers }) => !answers),
  },
  A6: {
    means: 'an acker that is dead, or cannot connect, stays on record for ever',
    shows: (violation, house) =>
      is('NotHealed')(violation) &&
      house.holds('Available') &&
      recordedAckers(house).some(({ answers, follows }) => !answers || !follows),
  },
  A14: {
    means: 'tries have failed, and there is no other although everybody answers again',
    shows: (violation, house) => is('NotHealed', 'NotReplaced')(violation) && hasGivenUp(house),
  },
} as const satisfies Readonly<Record<string, Known>>;

export type KnownClass = keyof typeof knownFaults;

export function classOf(violation: Violation, house: House): KnownClass | undefined {
  const names = Object.keys(knownFaults) as KnownClass[];
  return names.find((name) => (knownFaults[name] as Known).shows(violation, house));
}

/** The newest change has failed, and all who could vouch answer now. */
function hasGivenUp(house: House): boolean {
  const isBlocked = house.condition('FailingOver')?.reason === 'FailoverBlocked';
  const isHeld = house.condition('FailoverArmed')?.reason === 'AcknowledgementNeeded';
  return (isBlocked || isHeld) && recordedAckers(house).every(({ answers }) => answers);
}
