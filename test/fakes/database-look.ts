/** What a server in memory says of itself. */
import type { Acks, Look, Replication } from '../../controller/database/port.ts';
import type { FakeServer } from './database-server.ts';
import { isWaitSpoilt, variablesOf } from './database-variables.ts';
import type { DatabaseWorld } from './database-world.ts';

/** All of a look, at this moment. */
export function lookAt(server: FakeServer, world: DatabaseWorld): Look {
  const { heartbeat } = server;
  const replication = replicationOf(server, world);
  return {
    version: server.flavor === 'MySQL' ? '9.7.4' : '11.8.6',
    identity: server.identity,
    readOnly: !server.writable,
    executed: server.executed,
    purged: server.purgedGtids,
    epoch: heartbeat?.epoch ?? 0,
    ...(heartbeat === undefined ? {} : { beatTime: heartbeat.time }),
    acks: acksOf(server),
    followers: world.followersOf(server),
    variables: variablesOf(server),
    ...(replication === undefined ? {} : { replication }),
  };
}

function acksOf(server: FakeServer): Acks {
  const { requiredAcks, ackers, waiting, acknowledged, unacknowledged } = server;
  const armed = requiredAcks > 0 && !isWaitSpoilt(server);
  return {
    armed,
    connected: ackers.size,
    required: armed ? requiredAcks : 0,
    waiting: waiting.length,
    acknowledged,
    unacknowledged,
  };
}

function replicationOf(server: FakeServer, world: DatabaseWorld): Replication | undefined {
  const { source, link, receives, receiverError } = server;
  if (source === undefined) return undefined;
  const connected = link === undefined ? 'Connecting' : 'Running';
  return {
    source,
    receiver: receives && receiverError === undefined ? connected : 'Stopped',
    received: server.received,
    heard: server.heard,
    acknowledges: server.acknowledges,
    ...applierOf(server, world),
    ...(receiverError === undefined ? {} : { receiverError }),
  };
}

/** It stops at what it cannot apply. */
function applierOf(
  { applies, applierError, onHold, relay, link }: FakeServer,
  { clock }: DatabaseWorld,
): Pick<Replication, 'applier' | 'onHold' | 'lagSeconds' | 'applierError'> {
  const [next] = relay;
  if (applierError !== undefined && next !== undefined) return { applier: 'Stopped', applierError };
  if (!applies) return { applier: 'Stopped', ...(onHold ? { onHold: true } : {}) };
  const lagSeconds = next === undefined ? 0 : Math.floor((clock.now() - next.transaction.at) / 1000);
  return { applier: 'Running', ...(link === undefined ? {} : { lagSeconds }) };
}
