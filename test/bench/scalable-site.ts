/** `make bench-site`: the scalable site under wrk, an outside load tool; what fails, and how soon front ends react. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { joins, memberships, type Reaction } from './reactions.ts';
import { blueGreen, cutPower, reload, roll, type Step, scale } from './site-parts.ts';
import { judge, reactionRows, stepRows } from './site-report.ts';
import { WebSite } from './web-site.ts';

interface Found {
  readonly steps?: readonly Step[];
  readonly reactions?: readonly Reaction[];
}

interface Results {
  readonly steps: Step[];
  readonly reactions: Reaction[];
}

type Part = (site: WebSite, plan: Plan) => Promise<Found>;

interface Plan {
  readonly parts: readonly PartName[];
  /** How many there are in `crowd`. */
  readonly frontends: number;
}

/** In the order in which they are played. */
const partNames = [
  'scale',
  'roll',
  'blue-green',
  'reload',
  'power-cut',
  'joins',
  'membership',
  'crowd',
] as const;
type PartName = (typeof partNames)[number];

const parts: Readonly<Record<PartName, Part>> = {
  scale: async (site) => ({ steps: [await scale(site)] }),
  roll: async (site) => ({ steps: [await roll(site)] }),
  'blue-green': async (site) => ({ steps: [await blueGreen(site)] }),
  reload: async (site) => ({ steps: [await reload(site)] }),
  'power-cut': async (site) => ({ steps: [await cutPower(site)] }),
  joins: async (site) => {
    const { step, reaction } = await joins(site);
    return { steps: [step], reactions: [reaction] };
  },
  membership: async (site) => ({ reactions: await memberships(site, 2) }),
  crowd: async (site, { frontends }) => ({ reactions: await memberships(site, frontends) }),
};

/** Of the controller, for whoever asks why. */
const logFile = path.join(tmpdir(), 'ridgeline-bench-site.log');

/** @throws when an option is unknown or has no such value. */
function parsePlan(args: readonly string[]): Plan {
  const options = {
    parts: { type: 'string', default: partNames.join(',') },
    frontends: { type: 'string', default: '20' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const wanted = z.array(z.enum(partNames)).parse(values.parts.split(','));
  return {
    parts: partNames.filter((name) => wanted.includes(name)),
    frontends: z.coerce.number().int().min(2).max(50).parse(values.frontends),
  };
}

/** Adds to the results as parts end: what was seen before a part broke off counts. */
async function playAll(plan: Plan, results: Results): Promise<void> {
  const site = await WebSite.open();
  try {
    for (const name of plan.parts) {
      console.log(name);
      const { steps = [], reactions = [] } = await parts[name](site, plan);
      results.steps.push(...steps);
      results.reactions.push(...reactions);
    }
  } finally {
    writeFileSync(logFile, site.log());
    await site.close();
  }
}

const results: Results = { steps: [], reactions: [] };
const end = await playAll(parsePlan(process.argv.slice(2)), results).catch((error: unknown) => error);
for (const rows of [stepRows(results.steps), reactionRows(results.reactions)]) {
  if (rows.length > 0) console.table(rows);
}
const { lines, hasFailed } = judge(results.steps, results.reactions);
for (const line of lines) console.log(line);
console.log(`The controller's log: ${logFile}`);
if (end !== undefined) console.error(end);
process.exit(hasFailed || end !== undefined ? 1 : 0);
