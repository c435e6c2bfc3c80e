/** `make bench-switchovers`: many planned changes of one MySQL cluster in memory; the last must be as fast as the first. */
import { parseArgs } from 'node:util';
import { noFailpoints } from '../../controller/base/failpoints.ts';
import { FailoverController } from '../simulation/failover-controller.ts';
import { FailoverWorld } from '../simulation/failover-world.ts';
import { MortalProcess } from '../simulation/mortal.ts';

const { values } = parseArgs({ options: { changes: { type: 'string', default: '500' } } });
const changes = Number(values.changes);
const some = 10;

const world = new FailoverWorld({ flavor: 'MySQL', instances: 3 });
await world.start();
void new FailoverController(world, new MortalProcess(), noFailpoints).run();
await world.clock.advance(1_000);

interface Change {
  readonly ending: string | undefined;
  readonly outage: number;
  readonly cpu: number;
}

const done: Change[] = [];
for (let change = 1; change <= changes; change += 1) {
  // One more primary has come and gone, and left its name in every set.
  world.databases.inheritFrom(`former-${change}`);
  const name = `change-${change}`;
  world.request(name);
  const began = performance.now();
  await world.clock.advance(3_000);
  const { writeOutageMilliseconds: outage = Number.NaN } =
    world.promotions.find(({ metadata }) => metadata.name === name)?.status ?? {};
  done.push({ ending: world.endings[name], outage, cpu: performance.now() - began });
  if (change % 100 === 0) console.log(`  ${change} of ${changes}`);
}
world.isOver = true;
await world.clock.advance(1_000);

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const summaryOf = (part: readonly Change[]) => ({
  completed: part.filter(({ ending }) => ending === 'Completed').length,
  'writes out, ms': median(part.map(({ outage }) => outage)),
  'computed, ms': Math.round(median(part.map(({ cpu }) => cpu))),
});
const { executed } = world.databases.server(world.primary);
console.log(
  `${changes} planned changes of one MySQL cluster in memory; its GTID set has ${executed.length} characters`,
);
console.table({ first: summaryOf(done.slice(0, some)), last: summaryOf(done.slice(-some)) });
const failed = done.filter(({ ending }) => ending !== 'Completed');
const slower =
  summaryOf(done.slice(-some))['writes out, ms'] - summaryOf(done.slice(0, some))['writes out, ms'];
if (failed.length > 0 || slower > 50 || world.violations().length > 0) process.exitCode = 1;
