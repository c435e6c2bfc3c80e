/** The bench of failovers counts what it measured, keeps what it saw and does the same for the same seed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { withTrueEpochs } from '../../chaos/epochs.ts';
import { drawRounds, parsePlan } from '../../chaos/failover-options.ts';
import { lineOf, tableOf, verdictText } from '../../chaos/failover-report.ts';
import { type HistoryEvent, operationsOf, parseHistory } from '../../chaos/history.ts';
import { HistoryFile } from '../../chaos/history-file.ts';
import type { RoundResult } from '../../chaos/round.ts';
import { summaryOf } from '../../chaos/statistics.ts';
import { judgeHistory } from '../../chaos/verdict.ts';

describe('plan', () => {
  it('means all clusters and all deaths, a few rounds each, unless told otherwise', () => {
    const { shapes, scenarios, rounds } = parsePlan([]);
    expect(shapes).toHaveLength(4);
    expect(scenarios).toEqual(['crash', 'power-off', 'hang', 'partition']);
    expect(rounds).toBe(3);
  });

  it.each([
    ['--flavor', 'Oracle'],
    ['--fault', 'crash,flood'],
    ['--rounds', '0'],
    ['--replicas', '3'],
    ['--seeds', '1'],
  ])('refuses %s %s', (...args) => {
    expect(() => parsePlan(args)).toThrow();
  });

  it('draws every round it was asked for, mixed, and the same again from the same seed', () => {
    const plan = parsePlan(['--fault', 'crash,hang', '--rounds', '10', '--seed', '7']);
    const drawn = drawRounds(plan);
    expect(drawn.filter(({ scenario }) => scenario === 'crash')).toHaveLength(10);
    expect(drawn).toHaveLength(20);
    expect(drawRounds(plan)).toEqual(drawn);
    expect(drawRounds({ ...plan, seed: 8 })).not.toEqual(drawn);
    expect(drawn.every(({ afterMs }) => afterMs >= 1_000 && afterMs <= 4_000)).toBe(true);
  });
});

describe('summary', () => {
  it('is made of values that were measured', () => {
    expect(summaryOf([5, 1, 4, 2, 3])).toEqual({ count: 5, p50: 3, p95: 5, p99: 5, max: 5 });
    const hundred = Array.from({ length: 200 }, (_, index) => index + 1);
    expect(summaryOf(hundred)).toEqual({ count: 200, p50: 100, p95: 190, p99: 198, max: 200 });
  });

  it('of nothing is nothing', () => {
    expect(summaryOf([])).toBeUndefined();
  });
});

it('a history file holds all events after it was flushed', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'history-'));
  try {
    const file = new HistoryFile(path.join(folder, 'history.jsonl'));
    for (let time = 0; time < 1_201; time += 1) file.record({ process: 1, type: 'fail', time });
    expect(parseHistory(readFileSync(file.path, 'utf8'))).toHaveLength(1_000);
    file.flush();
    expect(parseHistory(readFileSync(file.path, 'utf8'))).toEqual(file.events);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Inserts of one client, each acknowledged by the node of its epoch. */
function inserted(...acknowledgements: readonly (readonly [string, string, number])[]): HistoryEvent[] {
  return acknowledgements.flatMap(([value, node, epoch], index): HistoryEvent[] => [
    { process: 1, type: 'invoke', time: 2 * index, call: { action: 'add', value } },
    { process: 1, type: 'ok', time: 2 * index + 1, node, epoch },
  ]);
}

const leaders = { 1: 'x', 2: 'y' };

describe('true epochs', () => {
  const epochsOf = (of: Record<number, string>, ...acknowledgements: [string, string, number][]) =>
    withTrueEpochs(operationsOf(inserted(...acknowledgements)), of).map(({ epoch }) => epoch);

  it('are those a node led, whatever row its first clients found', () => {
    expect(epochsOf(leaders, ['a', 'x', 1], ['b', 'y', 1], ['c', 'y', 2])).toEqual([1, 2, 2]);
  });

  it('do not excuse a node that thaws, nor one that never led', () => {
    expect(epochsOf(leaders, ['a', 'x', 1], ['b', 'z', 1])).toEqual([1, 1]);
  });

  it('are one for all that a node led without a break', () => {
    const of = { ...leaders, 4: 'y', 5: 'x' };
    expect(epochsOf(of, ['a', 'y', 2], ['b', 'y', 3], ['c', 'y', 4], ['d', 'x', 4])).toEqual([2, 2, 2, 5]);
  });

  it('tell apart the times a node led', () => {
    expect(epochsOf({ ...leaders, 3: 'x' }, ['a', 'x', 1], ['b', 'x', 2], ['c', 'x', 3])).toEqual([1, 3, 3]);
  });
});

describe('verdict', () => {
  it('is good for a change of primary that kept everything', () => {
    const { violations, acknowledged } = judgeHistory(
      inserted(['a', 'x', 1], ['b', 'y', 2]),
      ['a', 'b'],
      leaders,
    );
    expect({ violations, acknowledged }).toEqual({ violations: [], acknowledged: 2 });
  });

  it('tells of every kind of violation', () => {
    const zombie = inserted(['a', 'x', 1], ['b', 'y', 2], ['c', 'x', 1]);
    const registers: HistoryEvent[] = [
      { process: 2, type: 'invoke', time: 10, call: { action: 'read', key: 'k' } },
      { process: 2, type: 'ok', time: 11, result: 'from nowhere', node: 'y', epoch: 2 },
    ];
    const verdict = judgeHistory([...zombie, ...registers], ['a', 'b', 'b', 'd'], leaders);
    expect(verdict).toMatchObject({ lost: 1, unexpected: 2, overlaps: 1 });
    expect(verdict.violations).toHaveLength(5);
  });
});

const shape = { flavor: 'MariaDB', replicas: 2 } as const;
const verdict = { acknowledged: 10, lost: 0, unexpected: 0, overlaps: 0, violations: [] };

function round(changes: Partial<RoundResult>): RoundResult {
  const base = {
    scenario: 'crash',
    afterMs: 1_000,
    round: 1,
    outageMs: 2_000,
    armedAfterMs: 30_000,
  } as const;
  return { ...base, violations: [], leaders: {}, verdict, ...changes };
}

describe('report', () => {
  it('has one row per fault, with violations counted', () => {
    const rounds = [
      round({ reportedMs: 2_300 }),
      round({ outageMs: 4_000, reportedMs: 4_100, violations: ['one', 'two'] }),
      round({ scenario: 'hang', outageMs: 6_000 }),
    ];
    const [crash, hang, ...more] = tableOf([{ shape, rounds }]);
    expect(more).toEqual([]);
    expect(crash).toMatchObject({
      cluster: 'MariaDB 1+2',
      fault: 'crash',
      rounds: 2,
      'outage p50': '2.0',
      max: '4.0',
      'reported within': '0.3',
      violations: 2,
    });
    expect(hang).toMatchObject({ fault: 'hang', rounds: 1, 'reported within': '-' });
  });

  it('shows violations below their round', () => {
    expect(lineOf(round({ violations: ['a row is lost'] }))).toBe(
      '  1 crash: no write for 2.0 s, armed again after 30.0 s\n    VIOLATION a row is lost',
    );
  });

  it('says what became of all writes', () => {
    expect(verdictText({ shape, rounds: [round({})] })).toBe(
      'MariaDB 1+2: 10 writes acknowledged, 0 lost, 0 unexpected, 0 overlapping',
    );
    expect(verdictText({ shape, rounds: [] })).toBe('MariaDB 1+2: no round');
  });
});
