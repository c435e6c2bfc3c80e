/** Histories survive the disk, and ends find their beginnings. */
import { describe, expect, it } from 'vitest';
import { formatEvent, type HistoryEvent, operationsOf, parseHistory } from '../../chaos/history.ts';

const events: readonly HistoryEvent[] = [
  { process: 1, type: 'invoke', time: 10, call: { action: 'write', key: 'x', value: 'a' } },
  { process: 2, type: 'invoke', time: 20, call: { action: 'read', key: 'x' } },
  { process: 2, type: 'ok', time: 30, result: null, node: 'db-1', epoch: 1 },
  { process: 1, type: 'info', time: 40 },
  { process: 3, type: 'invoke', time: 50, call: { action: 'add', value: 'v' } },
];

describe('history', () => {
  it('reads what it wrote', () => {
    expect(parseHistory(events.map(formatEvent).join(''))).toEqual(events);
  });

  it.each(['{"process":1}', 'not JSON', '{"process":1,"type":"invoke","time":1,"call":{"action":"drop"}}'])(
    'names the line that is no event: %s',
    (line) => {
      expect(() => parseHistory(`${formatEvent(events[0]!)}${line}\n`)).toThrow(`line 2 of the history`);
    },
  );

  it('joins beginnings and ends, and does not know the end of what never ended', () => {
    expect(operationsOf(events)).toMatchObject([
      { process: 1, outcome: 'info', invoked: 10, completed: Number.POSITIVE_INFINITY },
      { process: 2, outcome: 'ok', invoked: 20, completed: 30, result: null, node: 'db-1', epoch: 1 },
      { process: 3, outcome: 'info', invoked: 50, completed: Number.POSITIVE_INFINITY },
    ]);
  });

  it('refuses a process that does two things at once, or ends nothing', () => {
    const [begin, , end] = [events[0]!, events[1]!, events[2]!];
    expect(() => operationsOf([begin, begin])).toThrow(/two things at once/);
    expect(() => operationsOf([end])).toThrow(/has not begun/);
  });
});
