/** `make chaos args='--mutants N'` plays the mutants; here each is asked to fit the source as it is. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mutants } from './mutants.ts';
import { applyEdit } from './mutate.ts';

test.each(Object.entries(mutants))('%s: fits the source', (_, edits) => {
  for (const edit of edits) {
    const source = readFileSync(new URL(`../../../${edit.file}`, import.meta.url), 'utf8');
    expect(applyEdit(source, edit)).not.toBe(source);
  }
});
