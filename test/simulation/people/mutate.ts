/** Loads sources with a mutant's edits in them; in a thread of its own, before anything else is loaded there. */
import { registerHooks } from 'node:module';
import type { Edit } from './mutants.ts';

const root = new URL('../../../', import.meta.url);

/** From now on these files are loaded as edited. @throws when an edit does not fit the text any more. */
export function mutateSources(edits: readonly Edit[]): void {
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      const own = edits.filter(({ file }) => url === new URL(file, root).href);
      if (own.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
      const text =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      return { ...loaded, source: own.reduce(applyEdit, text) };
    },
  });
}

/** The text with the edit made. @throws when what it replaces is not there exactly once. */
export function applyEdit(text: string, { file, from, to }: Edit): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(
      `${file}: a mutant replaces what is there ${more.length === 0 ? 'no more' : 'twice'}: ${from}`,
    );
  }
  return before + to + after;
}
