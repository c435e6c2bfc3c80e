/** Rows: what a silent primary amounts to, by what everybody else sees. */
import type { Verdict } from '../../../controller/supervision/port.ts';
import type { Inspected, Signs } from '../../../controller/supervision/signs.ts';
import * as a from './signs.ts';

/** [what, signs, verdict, evidence] */
export type Row = readonly [string, Partial<Signs>, Verdict, RegExp];

export const silent = a.mute(4_200);
const deaf = [a.replica('db-2', 3_600), a.replica('db-3', 3_200)];
/** A replica that connects anew, and what it was told last. */
const told = (number: number, message: string) =>
  a.replica('db-2', 9_000, { receiver: 'Connecting', receiverError: { number, message } });

const half = [a.witness('app-1', false), a.witness('app-2', true)];
const reached = [a.witness('app-1', true), a.witness('app-2', true)];
/** It follows the primary, and somebody has stopped its receiver. */
const stopped = (server: string) => a.replica(server, 9_000, { receiver: 'Stopped' });

/** What its host has said so long ago. */
export function inspection(running: boolean, ago: number, more: Partial<Inspected['found']> = {}): Inspected {
  return { at: a.now - ago, found: { running, diskUsed: 0.4, diskReadOnly: false, ...more } };
}

export const silenceRows: readonly Row[] = [
  [
    'silent to all',
    { primary: silent, replicas: deaf },
    'DeadHost',
    /not answered for 4.2 s; db-2 hears nothing, db-3/,
  ],
  [
    'silent to us, and it refuses a replica',
    {
      primary: silent,
      replicas: [told(1045, 'denied'), deaf[1]!],
    },
    'ControllerBlind',
    /db-2 is refused by it, db-3 hears nothing/,
  ],
  [
    'silent to us, and the connection of a replica broke',
    {
      primary: silent,
      replicas: [told(1159, 'Got timeout reading communication packets'), deaf[1]!],
    },
    'DeadHost',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'silent to us, and a replica cannot connect',
    {
      primary: silent,
      replicas: [told(2003, 'no route'), deaf[1]!],
    },
    'DeadHost',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'one replica is gone as well',
    { primary: silent, replicas: [a.unreachable('db-2'), deaf[1]!] },
    'DeadHost',
    /db-3 hears nothing/,
  ],
  [
    'most witnesses agree',
    {
      primary: silent,
      replicas: deaf,
      witnesses: [a.witness('app-1', false), a.witness('app-2', false), a.witness('app-3', true)],
    },
    'DeadHost',
    /2 of 3 witnesses cannot reach it/,
  ],
  [
    'half of the witnesses agree, and commits wait for nobody',
    { primary: silent, replicas: deaf, witnesses: half, acks: { ...a.recorded, required: 0, decisive: 3 } },
    'ControllerBlind',
    /1 of 2 witnesses cannot reach it/,
  ],
  [
    'two looks were missed',
    { primary: a.mute(3_500, a.silence(3_400, 2)), replicas: deaf },
    'Suspected',
    /has not answered/,
  ],
  [
    'three looks failed at once',
    { primary: a.mute(2_999, a.silence(2_500, 9, 'shell.unreachable')), replicas: deaf },
    'Suspected',
    /has not answered/,
  ],
  [
    'a replica heard of it a moment ago',
    { primary: silent, replicas: [a.replica('db-2', 1_499), deaf[1]!] },
    'ControllerBlind',
    /db-2 hears it/,
  ],
  [
    'a replica heard of it less than 3 s ago',
    { primary: silent, replicas: [a.replica('db-2', 2_999), deaf[1]!] },
    'Suspected',
    /db-2 heard it 3.0 s ago/,
  ],
  [
    'no replica listens, and nobody else was asked',
    { primary: silent, replicas: [a.replica('db-2', 9_000, { receiver: 'Stopped' })] },
    'Suspected',
    /db-2 does not listen/,
  ],
  [
    'no replica listens, but a witness looked',
    {
      primary: silent,
      replicas: [a.replica('db-2', 9_000, { receiver: 'Stopped' })],
      witnesses: [a.witness('app-1', false)],
    },
    'DeadHost',
    /1 of 1 witnesses cannot reach it/,
  ],
  [
    'the only replica listens to another server',
    { primary: silent, replicas: [a.replica('db-2', 9_000, { source: '10.77.9.9' })] },
    'Suspected',
    /db-2 does not listen/,
  ],
  [
    'no replica is left to promote, but a witness agrees',
    { primary: silent, replicas: [a.unreachable('db-2')], witnesses: [a.witness('app-1', false)] },
    'Suspected',
    /cannot reach it/,
  ],

  [
    'silent to all for a moment less than a person allows',
    { primary: a.mute(9_999), replicas: [a.replica('db-2', 10_050)], silence: 10_000 },
    'Suspected',
    /not answered for 10.0 s$/,
  ],
  [
    'silent to all for as long as a person allows',
    { primary: a.mute(1_000, a.silence(800, 3)), replicas: [a.replica('db-2', 1_000)], silence: 1_000 },
    'DeadHost',
    /db-2 hears nothing/,
  ],
  [
    'a replica has just lost its connection',
    {
      primary: silent,
      replicas: [a.replica('db-2', 2_999, { receiver: 'Connecting' }), deaf[1]!],
    },
    'Suspected',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'no replica listens, and the host of one has tried in vain for long enough',
    { primary: silent, replicas: [stopped('db-2')], hosts: [a.host('db-2', false)] },
    'DeadHost',
    /db-2 does not listen, and its host cannot reach it/,
  ],
  [
    'no replica listens, and the host of one has just begun to try',
    { primary: silent, replicas: [stopped('db-2')], hosts: [a.host('db-2', false, 2_999)] },
    'Suspected',
    /db-2 does not listen$/,
  ],
  [
    'a replica does not listen, but its host reaches it',
    { primary: silent, replicas: [stopped('db-2'), deaf[1]!], hosts: [a.host('db-2', true)] },
    'ControllerBlind',
    /db-2 does not listen, but its host reaches it/,
  ],
  [
    'silent to all, and its host says that the process is there',
    { primary: { ...silent, inspection: inspection(true, 500) }, replicas: deaf },
    'FrozenProcess',
    /the host of db-1 answers, and its process exists and says nothing$/,
  ],
  [
    'the same, and the disk is full',
    { primary: { ...silent, inspection: inspection(true, 500, { diskUsed: 1 }) }, replicas: deaf },
    'FrozenProcess',
    /says nothing; its disk is 100 % full$/,
  ],
  [
    'silent to all, and its host says that there is no process',
    { primary: { ...silent, inspection: inspection(false, 500) }, replicas: deaf },
    'DeadProcess',
    /and its process is gone$/,
  ],
  [
    'silent to all, and its host has answered too long ago',
    { primary: { ...silent, inspection: inspection(true, 3_001) }, replicas: deaf },
    'DeadHost',
    /hears nothing$/,
  ],

  [
    'silent to us and to all who acknowledge, and every application reaches it',
    { primary: silent, replicas: deaf, witnesses: reached },
    'CutOff',
    /2 witnesses reach it; no write can be acknowledged while 2 of 2 acknowledging replicas receive nothing/,
  ],
  [
    'the same, and one of two applications is behind the same cut',
    { primary: silent, replicas: deaf, witnesses: half },
    'CutOff',
    /1 of 2 witnesses cannot reach it; no write/,
  ],
  [
    'the same, and a replica hears it that does not acknowledge',
    { primary: silent, replicas: [...deaf, a.replica('db-4', 100)], witnesses: reached },
    'CutOff',
    /db-4 hears it/,
  ],
  [
    'one of two who acknowledge does not answer us, and applications reach it',
    { primary: silent, replicas: [deaf[0]!, a.unreachable('db-3')], witnesses: reached },
    'ControllerBlind',
    /witnesses reach it$/,
  ],
  [
    'one of two who acknowledge hears it',
    { primary: silent, replicas: [deaf[0]!, a.replica('db-3', 100)], witnesses: reached },
    'ControllerBlind',
    /db-3 hears it/,
  ],
  [
    'who acknowledges was told to stop listening, and applications reach it',
    { primary: silent, replicas: [deaf[0]!, stopped('db-3')], witnesses: reached },
    'ControllerBlind',
    /db-3 does not listen/,
  ],
  [
    'the same, and its host does not reach the primary either',
    {
      primary: silent,
      replicas: [deaf[0]!, stopped('db-3')],
      hosts: [a.host('db-3', false)],
      witnesses: reached,
    },
    'CutOff',
    /db-3 does not listen, and its host cannot reach it/,
  ],
  [
    'who acknowledges has restarted and connects for the first time',
    {
      primary: silent,
      replicas: [deaf[0]!, a.replica('db-3', 800, { receiver: 'Connecting' })],
      witnesses: reached,
    },
    'ControllerBlind',
    /witnesses reach it/,
  ],
  [
    'commits may not wait, so applications may be told that theirs are done',
    {
      primary: silent,
      replicas: deaf,
      witnesses: reached,
      acks: { ...a.recorded, required: 0, decisive: 3 },
    },
    'ControllerBlind',
    /2 witnesses reach it$/,
  ],
  [
    'it answers, but not as it should, and who acknowledges hears nothing',
    { primary: a.mute(60_000, a.silence(60_000, 99, 'database.denied')), replicas: deaf },
    'ControllerBlind',
    /answers, but not as it should/,
  ],

  [
    'only we do not reach it',
    { primary: silent },
    'ControllerBlind',
    /not answered for 4.2 s, but db-2 hears it, db-3 hears it/,
  ],
  [
    'a witness reaches it',
    { primary: silent, replicas: [a.unreachable('db-2')], witnesses: [a.witness('app-1', true)] },
    'ControllerBlind',
    /1 witnesses reach it/,
  ],
  [
    'a witness reached it too long ago',
    { primary: silent, replicas: deaf, witnesses: [a.witness('app-1', true, 3_001)] },
    'DeadHost',
    /hears nothing/,
  ],
  [
    'it does not accept our account',
    { primary: a.primary({ silence: a.silence(60_000, 99, 'database.denied') }), replicas: deaf },
    'ControllerBlind',
    /answers, but not as it should/,
  ],

  [
    'nobody answers',
    { primary: silent, replicas: [a.unreachable('db-2')] },
    'AllUnreachable',
    /nobody else answers/,
  ],
];
