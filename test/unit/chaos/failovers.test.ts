/** The bench of failovers counts what it measured, keeps what it saw and does the same for the same seed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { clusterName, clusterSpec } from '../../chaos/database-site.ts';
import { withTrueEpochs } from '../../chaos/epochs.ts';
import {
  drawRounds,
  helpText,
  type Plan,
  parseOrder,
  remaining,
  type ScenarioName,
  scenarioNames,
} from '../../chaos/failover-options.ts';
import { lineOf, remarksOn, tableOf } from '../../chaos/failover-report.ts';
import { type HistoryEvent, operationsOf, parseHistory } from '../../chaos/history.ts';
import { HistoryFile } from '../../chaos/history-file.ts';
import { addResult, commitOf, countPlayed, type Result, readResults } from '../../chaos/results.ts';
import { summaryOf } from '../../chaos/statistics.ts';
import { judgeHistory } from '../../chaos/verdict.ts';

function planOf(...args: string[]): Plan {
  const order = parseOrder(args);
  if (order.kind !== 'play') throw new Error(`it is to ${order.kind}`);
  return order.plan;
}

describe('plan', () => {
  it('means both flavors with one and two replicas, and all that a primary dies of, unless told otherwise', () => {
    const { shapes, scenarios, rounds, results } = planOf();
    expect(shapes.map(clusterName)).toEqual(['MariaDB 1+1', 'MariaDB 1+2', 'MySQL 1+1', 'MySQL 1+2']);
    expect(scenarios).toEqual([
      'crash',
      'power-off',
      'hang',
      'partition',
      'cut-off',
      'cut-off-seen',
      'sigterm',
    ]);
    expect(rounds).toBe(3);
    expect(results).toBeUndefined();
  });

  it('knows more replicas, other durability and accepted loss, and names such clusters so', () => {
    const args = ['--flavor', 'MySQL', '--replicas', '1,4', '--durability', 'Strict,Async'];
    const [quick] = planOf(...args.slice(0, 2), '--silence-seconds', '1').shapes;
    expect(clusterName(quick!)).toBe('MySQL 1+1 silence 1 s');
    const [back] = planOf(...args.slice(0, 2), '--old-primary', 'RejoinIfClean').shapes;
    expect(clusterName(back!)).toBe('MySQL 1+1 RejoinIfClean');
    expect(clusterSpec(back!).failover.oldPrimary).toBe('RejoinIfClean');
    const { shapes } = planOf(...args, '--data-loss', 'Accept', '--results', 'file');
    expect(shapes.map(clusterName)).toEqual([
      'MySQL 1+1 Strict Accept',
      'MySQL 1+1 Async Accept',
      'MySQL 1+4 Strict Accept',
      'MySQL 1+4 Async Accept',
    ]);
  });

  it('only prints what it can, or the table of a file', () => {
    expect(parseOrder(['--help'])).toEqual({ kind: 'help' });
    expect(parseOrder(['--report', 'file'])).toEqual({ kind: 'report', file: 'file' });
    for (const name of scenarioNames) expect(helpText).toContain(name);
  });

  it.each([
    ['--flavor', 'Oracle'],
    ['--fault', 'crash,flood'],
    ['--rounds', '0'],
    ['--replicas', '1,9'],
    ['--replicas', 'many'],
    ['--durability', 'Async'],
    ['--seeds', '1'],
  ])('refuses %s %s', (...args) => {
    expect(() => parseOrder(args)).toThrow();
  });

  it('draws every round it was asked for, mixed, and the same again from the same seed', () => {
    const plan = planOf('--fault', 'crash,hang', '--rounds', '10', '--seed', '7');
    const drawn = drawRounds(plan);
    expect(drawn.filter(({ scenario }) => scenario === 'crash')).toHaveLength(10);
    expect(drawn).toHaveLength(20);
    expect(drawRounds(plan)).toEqual(drawn);
    expect(drawRounds({ ...plan, seed: 8 })).not.toEqual(drawn);
    expect(drawn.every(({ afterMs }) => afterMs >= 1_000 && afterMs <= 4_000)).toBe(true);
  });

  it('goes on where an earlier run ended', () => {
    const drawn = drawRounds(planOf('--fault', 'crash,hang', '--rounds', '3', '--seed', '7'));
    const played = { crash: 2, hang: 0 } as Partial<Record<ScenarioName, number>>;
    const left = remaining(drawn, (scenario) => played[scenario] ?? 0);
    expect(left.map(({ scenario }) => scenario).toSorted()).toEqual(['crash', 'hang', 'hang', 'hang']);
    expect(left.find(({ scenario }) => scenario === 'crash')).toBe(
      drawn.findLast(({ scenario }) => scenario === 'crash'),
    );
    expect(remaining(drawn, () => 3)).toEqual([]);
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

  it('counts what is lost and forgives it where it was accepted, and forgives nothing else', () => {
    const verdict = judgeHistory(inserted(['a', 'x', 1], ['b', 'y', 2]), ['b', 'c'], leaders, true);
    expect(verdict).toMatchObject({ lost: 1, unexpected: 1 });
    expect(verdict.violations).toHaveLength(1);
  });
});

function round(changes: Partial<Result>): Result {
  return {
    cluster: 'MariaDB 1+2',
    scenario: 'crash',
    silenceSeconds: 3,
    commit: 'abc',
    time: '2026-11-30T20:00:00.000Z',
    seed: 7,
    afterMs: 1_000,
    outageMs: 2_000,
    armedAfterMs: 30_000,
    acknowledged: 10,
    lost: 0,
    unexpected: 0,
    overlaps: 0,
    violations: [],
    folder: '/kept',
    ...changes,
  };
}

describe('results', () => {
  it('are kept in a file, and counted', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'results-')), 'results.jsonl');
    try {
      expect(readResults(file)).toEqual([]);
      const all = [round({}), round({ scenario: 'hang', steps: { Detect: 3 } }), round({ cluster: 'other' })];
      for (const one of all) addResult(file, one);
      expect(readResults(file)).toEqual(all);
      expect(countPlayed(readResults(file), 'MariaDB 1+2', 'crash')).toBe(1);
    } finally {
      rmSync(path.dirname(file), { recursive: true });
    }
  });

  it('say which commit was tested', () => {
    expect(commitOf(import.meta.dirname)).toMatch(/^[0-9a-f]{7,}\+?$/);
  });
});

describe('report', () => {
  const rounds = [
    round({ reportedMs: 2_300 }),
    round({ outageMs: 4_000, reportedMs: 4_100, lost: 1, violations: ['one', 'two'] }),
    round({ scenario: 'hang', outageMs: 3_000 }),
    round({ scenario: 'blind', outageMs: 20 }),
  ];

  it('has one row per cluster and fault, with losses and missed targets counted', () => {
    const [crash, hang, blind, ...more] = tableOf(rounds);
    expect(more).toEqual([]);
    expect(crash).toMatchObject({
      cluster: 'MariaDB 1+2',
      fault: 'crash',
      rounds: 2,
      'outage p50': '2.0',
      worst: '4.0',
      target: '1.5/3.0',
      'over p99': 1,
      'reported within': '0.3',
      lost: 1,
      overlapping: 0,
      violations: 2,
    });
    expect(hang).toMatchObject({ fault: 'hang', rounds: 1, 'over p99': 0, 'reported within': '-' });
    expect(blind).toMatchObject({ fault: 'blind', target: '-', 'over p99': '-' });
  });

  it('measures silence of one second against other targets', () => {
    const [quick] = tableOf([round({ scenario: 'hang', silenceSeconds: 1 })]);
    expect(quick).toMatchObject({ target: '1.5/3.0' });
    const [slow] = tableOf([round({ scenario: 'hang', silenceSeconds: 10 })]);
    expect(slow).toMatchObject({ target: '-' });
  });

  it('says what became of all writes, which targets were missed and what was broken', () => {
    expect(remarksOn(rounds)).toEqual([
      '4 rounds at abc: 40 writes acknowledged, 1 lost, 0 unexpected, 0 overlapping',
      'MariaDB 1+2, crash: p50 2.0 s, target 1.5 s',
      'MariaDB 1+2, crash: p99 4.0 s, target 3.0 s',
      '2026-11-30T20:00:00.000Z abc MariaDB 1+2 crash: one (/kept)',
      '2026-11-30T20:00:00.000Z abc MariaDB 1+2 crash: two (/kept)',
    ]);
  });

  it('shows violations below their round', () => {
    expect(lineOf(round({ violations: ['a row is lost'] }))).toBe(
      '  crash: no write for 2.0 s, armed again after 30.0 s\n    VIOLATION a row is lost',
    );
  });
});
