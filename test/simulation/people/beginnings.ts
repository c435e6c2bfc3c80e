/** Sites that are up already: each kind is really brought up once a process, and every story begins with a copy of it. */
import { whatIsWrong } from './healing.ts';
import { House } from './house.ts';
import type { Setting } from './story.ts';

/** Of every bring-up that copies are made of; a story's own seed decides what comes after. */
const seed = 0;
/** Longer takes none: it comes up in a quarter of a minute. */
const stepLimit = 200;

const sites = new Map<string, House>();

/** A site of this kind that is up and whose controller has gone; undefined when it does not come up, which a story has to tell. */
export async function siteThatIsUp(setting: Setting): Promise<House | undefined> {
  const { flavor, instances, durability } = setting;
  const kind = `${flavor} ${instances} ${durability}`;
  const site = sites.get(kind) ?? (await bringUp({ ...setting, ...plain }));
  if (site !== undefined) sites.set(kind, site);
  return site;
}

/** What a site is not brought up for: a manifest says the rest later. */
const plain = { dataLoss: 'Refuse', oldPrimary: 'Quarantine', atMost: 20, copyTakes: 1_000 } as const;

async function bringUp(setting: Setting): Promise<House | undefined> {
  const house = new House(seed, setting);
  for (let step = 0; step < stepLimit && whatIsWrong(house) !== undefined; step += 1) {
    house.clients.write();
    await house.step();
  }
  const isUp = whatIsWrong(house) === undefined;
  house.close();
  // Answers arrive; time goes on in copies only.
  await house.step(1_000);
  return isUp && !house.isBusy ? house : undefined;
}
