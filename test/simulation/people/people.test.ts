/** People, machines and orderly ends on the whole controller, from seeds: every broken promise is a known fault. */
import { describe, expect, test } from 'vitest';
import { play } from './play.ts';

/** So many seeds are played here; `make chaos` plays 2,000. */
const seeds = 30;

test('plays the same twice from one seed', { timeout: 60_000 }, async () => {
  expect(await play(4)).toEqual(await play(4));
});

describe('nothing is broken that nobody has explained', () => {
  test.each(Array.from({ length: seeds }, (_, index) => index + 1))(
    'seed %i',
    { timeout: 60_000 },
    async (seed) => {
      const { violation, known, story, end } = await play(seed);
      const news = violation === undefined || known !== undefined ? [] : [violation, ...story, ...end];
      expect(news).toEqual([]);
    },
  );
});
