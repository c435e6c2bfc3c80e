/** Many changes of primary on databases in memory, from one seed; and every mutant, until a seed catches it. */
import { mutants } from '../simulation/failover-mutants.ts';
import { type Outcome, playFailover } from '../simulation/failover-scenarios.ts';

const mutantSeeds = 500;

/** Plays the seeds from `seed` on, and prints a table; whether every promise was kept. */
export async function playFailovers(runs: number, seed: number): Promise<boolean> {
  console.log(`${runs} changes of primary in trouble, on databases in memory, seeds from ${seed}`);
  const began = performance.now();
  const outcomes: Outcome[] = [];
  for (let run = 0; run < runs; run += 1) {
    outcomes.push(await playFailover(seed + run));
    if ((run + 1) % 250 === 0) console.log(`  ${run + 1} of ${runs}`);
  }
  const endings = outcomes.flatMap((one) => Object.values(one.endings));
  const bad = outcomes.filter(({ violations }) => violations.length > 0);
  console.table({
    scenarios: runs,
    'changes of primary': endings.length,
    'new primary in place': endings.filter((ending) => ending.startsWith('Completed')).length,
    'refused: loss was possible': endings.filter((ending) => ending === 'PossibleDataLoss').length,
    'writes acknowledged': outcomes.reduce((sum, one) => sum + one.acknowledged, 0),
    'controllers killed or paused': outcomes.reduce((sum, one) => sum + one.controllersLost, 0),
    'scenarios with a broken promise': bad.length,
    seconds: Math.round((performance.now() - began) / 1000),
  });
  for (const { seed: failed, violations, story } of bad.slice(0, 3)) {
    console.error([...violations, ...story].join('\n'));
    console.error(`Replay: make chaos args='--runs 0 --failovers 1 --seed ${failed}'`);
  }
  return bad.length === 0;
}

/** With one rule of safety switched off some seed must lose a write; prints which. */
export async function catchMutants(seed: number): Promise<boolean> {
  const caught: Record<string, { readonly seed: number | string; readonly violation: string }> = {};
  for (const [name, variant] of Object.entries(mutants)) {
    caught[name] = { seed: 'not caught', violation: '' };
    for (let run = 0; run < mutantSeeds; run += 1) {
      const { violations } = await playFailover(seed + run, variant);
      const [violation] = violations;
      if (violation === undefined) continue;
      caught[name] = { seed: seed + run, violation: violation.slice(0, 40) };
      break;
    }
  }
  console.table(caught);
  return Object.values(caught).every((one) => one.violation !== '');
}
