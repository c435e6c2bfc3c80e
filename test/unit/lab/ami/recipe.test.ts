/** The image's recipe: its cache key and its mmdebstrap call. */
import { expect, test } from 'vitest';
import { explainBuildFailure } from '../../../../lab/ami/explain.ts';
import { mmdebstrapArguments, recipeHash } from '../../../../lab/ami/recipe.ts';

test('the cache key changes with the suite and the files, not with their order', () => {
  const files = new Map([
    ['a', '1'],
    ['b', '2'],
  ]);
  const key = recipeHash('trixie', files);
  expect(key).toMatch(/^[0-9a-f]{12}$/);
  expect(recipeHash('trixie', new Map([...files].toReversed()))).toBe(key);
  expect(recipeHash('bookworm', files)).not.toBe(key);
  expect(recipeHash('trixie', new Map([...files, ['b', '3']]))).not.toBe(key);
});

test('the suite, target and sources come last, in the order mmdebstrap reads them', () => {
  const recipe = {
    suite: 'trixie',
    folder: '/lab/ami',
    aptOptions: ['Acquire::http::Proxy "http://p:1"'],
    sources: ['deb m trixie main'],
  } as const;
  const args = mmdebstrapArguments(recipe, '/cache/x.tar.zst');
  expect(args.slice(-3)).toEqual(['trixie', '/cache/x.tar.zst', 'deb m trixie main']);
  expect(args).toContain('--aptopt=Acquire::http::Proxy "http://p:1"');
  expect(args).toContain('--customize-hook=sh "/lab/ami/customize.sh" "$1" "/lab/ami/files"');
});

test.each([
  ['dpkg: error: write: No space left on device', 'disk full'],
  ["  Temporary failure resolving 'mirror.example'", 'no network'],
  [
    'E: Could not connect to mirror.example:80 (192.0.2.1). - connect (111: Connection refused)',
    'cannot be reached',
  ],
  ['W: GPG error: NO_PUBKEY 6ED0E7B82643E131', 'debian-archive-keyring'],
  ["E: The repository 'http://m trixie Release' does not have a Release file.", 'does not serve this suite'],
])('a failure is explained: %s', (line, advice) => {
  const message = explainBuildFailure('trixie', ['I: running apt-get update...', line]);
  expect(message).toContain(advice);
  expect(message).toContain(line.trim());
});

test('an unknown failure shows the last lines', () => {
  expect(explainBuildFailure('sid', ['E: setup failed', 'E: mmdebstrap failed to run'])).toContain(
    'E: setup failed',
  );
});
