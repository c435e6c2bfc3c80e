/** Tests that need an image which not every computer can build. */
import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { imageRoot } from '../../../lab/ami/build.ts';
import type { Suite } from '../../../lab/ami/recipe.ts';
import { paths } from '../../../lab/config.ts';

/** Declares the tests of `tell` where the image is built; elsewhere one that is skipped, of which `test/report.ts` speaks loudly. */
export async function whenBuilt(suite: Suite, what: string, tell: () => void): Promise<void> {
  if (existsSync(await imageRoot(suite, paths.cache))) tell();
  else test.skip(`${what}: the image of Debian ${suite} is not built`, () => undefined);
}
