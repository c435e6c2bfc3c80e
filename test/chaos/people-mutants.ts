/** Stories of people on each mutant, until one breaks a promise that is kept without it: which seed, and how. */
import { mutants } from '../simulation/people/mutants.ts';
import type { Invariant } from '../simulation/people/violation.ts';
import { onAllCores, Player } from './people-player.ts';

interface Catch {
  readonly seed: number | string;
  readonly promise: string;
  readonly what: string;
}

/** Plays up to `limit` seeds with each mutant whose name has `word` in it, and prints a table; whether all were caught. */
export async function catchPeopleMutants(limit: number, from: number, word = ''): Promise<boolean> {
  const chosen = Object.entries(mutants).filter(([name]) => name.includes(word));
  console.log(`${chosen.length} mutants of the controller and of databases, up to ${limit} stories each`);
  const caught = new Map<string, Catch>();
  const original = new Original();
  await onAllCores(chosen, async ([name, edits]) => {
    const mutant = new Player(edits);
    try {
      caught.set(name, await findCatch(mutant, original, { limit, from }));
    } finally {
      await mutant.close();
    }
    console.log(`  ${name}: ${caught.get(name)?.seed}`);
  });
  await original.close();
  const names = Object.keys(mutants).filter((name) => caught.has(name));
  console.table(Object.fromEntries(names.map((name) => [name, caught.get(name)])));
  return [...caught.values()].every(({ promise }) => promise !== '');
}

/** Plays a seed without any mutant, each once; one after the other. */
class Original {
  readonly #player = new Player();
  readonly #broken = new Map<number, Promise<Invariant | undefined>>();
  #last: Promise<unknown> = Promise.resolve();

  /** Whether this promise is kept, whatever another may be. */
  async keeps(seed: number, promise: Invariant): Promise<boolean> {
    const broken =
      this.#broken.get(seed) ??
      this.#last.then(async () => (await this.#player.play(seed)).violation?.invariant);
    this.#last = broken;
    this.#broken.set(seed, broken);
    return (await broken) !== promise;
  }

  async close(): Promise<void> {
    await this.#player.close();
  }
}

async function findCatch(
  mutant: Player,
  original: Original,
  { limit, from }: { readonly limit: number; readonly from: number },
): Promise<Catch> {
  for (let seed = from; seed < from + limit; seed += 1) {
    const { violation } = await mutant.play(seed);
    if (violation === undefined || !(await original.keeps(seed, violation.invariant))) continue;
    return { seed, promise: violation.invariant, what: violation.what.slice(0, 70) };
  }
  return { seed: 'not caught', promise: '', what: '' };
}
