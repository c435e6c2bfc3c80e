/** Help: every verb is listed, and tells how it is used. */
import { expect, test } from 'vitest';
import { chaosVerbs } from '../../../../lab/cli/chaos.ts';
import { diskVerbs } from '../../../../lab/cli/disk.ts';
import { help, verbHelp } from '../../../../lab/cli/help.ts';
import { networkVerbs } from '../../../../lab/cli/network.ts';

const verbs = { ...chaosVerbs, ...networkVerbs, ...diskVerbs };

test('the list has every verb with its summary', () => {
  const text = help(verbs);
  for (const [name, { summary }] of Object.entries(verbs)) {
    expect(text).toContain(`  ${name} `);
    expect(text).toContain(summary);
  }
});

test.each(Object.entries({ ...networkVerbs, ...diskVerbs }))('%s has an example of its own', (name, verb) => {
  const text = verbHelp(name, verb);
  expect(text).toContain(`usage: node lab/main.ts ${name} <machine>`);
  expect(text).toContain(`\n  node lab/main.ts ${name} `);
  expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(120);
});
