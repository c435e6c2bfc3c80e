/** What is done about commits while the primary changes, beside the steps of `durability.test.ts`. */
import { describe, expect, test } from 'vitest';
import { planDurability } from '../../../../controller/kinds/mysql-cluster/decide/durability-plan.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import { observed, primary, record, replica } from './durability-scene.ts';

const mute = { acknowledges: false } as const;
const noAcks = { connected: 0 } as const;

describe('while a new primary waits for its first replica', () => {
  const stepFor = (members: readonly Member[]) => {
    const scene = observed({ members, durability: record('Protected', 'db-9'), verdict: 'AcksLost' });
    const status = { ...scene.status, currentPromotionRef: { name: 'db-epoch-2' } };
    return planDurability({ ...scene, status }, {}, { troubles: new Map(), leaving: [] });
  };
  const added = { do: 'Step', step: { do: 'AddAcker', server: 'db-2' } };

  test.each([
    ['it is read-only', true],
    ['it is open, and its first write waits', false],
  ])('one that follows it acknowledges: %s', (_, readOnly) => {
    expect(stepFor([primary(noAcks, { readOnly }), replica('db-2', mute)])).toEqual(added);
  });

  test('nothing is to be done when one does', () => {
    expect(stepFor([primary(), replica('db-2')])).toBeUndefined();
  });
});
