/** People, machines and orderly ends on the whole controller, from seeds. */
import { expect, test } from 'vitest';
import { play } from './play.ts';

test('plays the same twice from one seed', async () => {
  expect(await play(4)).toEqual(await play(4));
});
