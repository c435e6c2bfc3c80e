/** One safety rule switched off at a time: a simulation that does not notice proves nothing. */

import { neededFrozen } from '../../controller/failover/proof.ts';
import type { Rules } from '../../controller/failover/rules.ts';
import type { Variant } from './failover-scenarios.ts';

const unfrozen: Rules['freeze'] = async ({ server, database }) => {
  const { executed, replication } = await database.look(1_000);
  return { server, executed, received: replication?.received ?? executed };
};

export const mutants: Readonly<Record<string, Variant>> = {
  'nobody is frozen': { rules: { freeze: unfrozen } },
  'one acker less is frozen': { rules: { needed: (record) => neededFrozen(record) - 1 } },
  'elected by what is applied': { rules: { held: ({ executed }) => executed } },
  'promoted before all is applied': {
    rules: { catchUp: async () => true },
    databaseRules: { keepsReceived: false },
  },
  'nodes take commands of earlier epochs': { databaseRules: { checksEpoch: false } },
  'nodes take orders that come from an earlier record': { databaseRules: { checksSerial: false } },
  'commits are visible before they are acknowledged': { databaseRules: { waitPoint: 'AFTER_COMMIT' } },
  'commits stop waiting after a while': { databaseRules: { ackTimeout: 500 } },
  'the new epoch forgets what it began with': {
    rules: {
      opening: ({ ackers, waits, changeTime }) => ({
        state: waits ? 'Protected' : 'Degraded',
        ackers: [...ackers],
        requiredAcks: waits ? 1 : 0,
        changeTime,
      }),
    },
  },
  'commits wait no more before that is on record': { sendsFirst: true },
};
