/** `make chaos`: many random scenarios from one seed; a failure prints the seed and path that replay it. */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Played, play, scenario } from '../simulation/chaos.ts';
import { playPeople } from './people.ts';
import { catchPeopleMutants } from './people-mutants.ts';
import { catchMutants, playFailovers } from './simulated-failovers.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    path: { type: 'string', default: '' },
    failovers: { type: 'string', default: '1000' },
    people: { type: 'string', default: '2000' },
    mutants: { type: 'string', default: '0' },
    mutant: { type: 'string', default: '' },
  },
});
const seed = Number(values.seed);
const runs = Number(values.runs);

console.log(`${runs} scenarios of faults and crashes on simulated clouds, seed ${seed}`);
const played: Played[] = [];
const began = performance.now();
const result = await fc.check(
  fc.asyncProperty(scenario, async (chosen) => {
    played.push(await play(chosen));
    if (played.length % 50 === 0) console.log(`  ${played.length} of ${runs}`);
  }),
  { numRuns: runs, seed, path: values.path },
);

const sum = (count: (one: Played) => number) => played.reduce((total, one) => total + count(one), 0);
console.table({
  scenarios: played.length,
  servers: sum((one) => one.servers),
  'faults injected': sum((one) => one.faults),
  'controllers killed': sum((one) => one.crashes),
  'scenarios failed': result.failed ? 1 : 0,
  seconds: Math.round((performance.now() - began) / 1000),
});
if (result.failed) {
  console.error(fc.defaultReportMessage(result));
  console.error(`Replay: make chaos args='--seed ${seed} --path ${result.counterexamplePath ?? ''}'`);
  process.exitCode = 1;
} else {
  console.log('Every Server had one machine at a time, no script started twice, nothing was left over.');
}

const failovers = Number(values.failovers);
if (!(await playFailovers(failovers, seed))) process.exitCode = 1;
else console.log('No acknowledged write was lost, and no two servers acknowledged at a time.');
const people = Number(values.people);
if (people > 0 && !(await playPeople(people, seed))) process.exitCode = 1;
const mutants = Number(values.mutants);
if (mutants > 0 && people !== 1 && !(await catchPeopleMutants(mutants, 1, values.mutant)))
  process.exitCode = 1;
// One run is the replay of a failure.
if (failovers > 1 && !(await catchMutants(seed))) process.exitCode = 1;
