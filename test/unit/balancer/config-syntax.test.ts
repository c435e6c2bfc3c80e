/** Which lines of a user may stand in HAProxy's file. */
import { expect, test } from 'vitest';
import { readExtraLines, safePathWord, safeWord } from '../../../controller/balancer/config-syntax.ts';

test('plain lines pass, trimmed and without blanks', () => {
  expect(readExtraLines('  option httplog\n\n\ttimeout client 10s  \n# a comment\n')).toEqual({
    lines: ['option httplog', 'timeout client 10s', '# a comment'],
  });
});

test.each([
  ['frontend mine', 'begins a section'],
  ['option httplog\n  backend\tx', 'begins a section'],
  ['.if defined(X)', 'preprocessor'],
  ['option httplog \\', 'backslash'],
  ['option\rhttplog', 'control character'],
  ['# >>> rl servers app', 'marker'],
  ['description mine', 'belongs to Ridgeline'],
  ['stats   socket /tmp/x level admin', 'belongs to Ridgeline'],
  ['server-state-file /tmp/x', 'belongs to Ridgeline'],
])('%j is refused: %s', (text, why) => {
  expect(readExtraLines(text)).toMatchObject({ problem: expect.stringContaining(why) });
});

test.each(['a b', 'a\nb', 'a;b', '', "a'b", 'a#b'])('%j is not a word', (text) => {
  expect(() => safeWord(text)).toThrow('may not stand');
});

test('paths may carry a query, but nothing that ends the word', () => {
  expect(safePathWord('/health?deep=1&x=%20')).toBe('/health?deep=1&x=%20');
  for (const path of ['health', '/a b', '/a"b', '/a#b', '/$X', '/a\\b']) {
    expect(() => safePathWord(path)).toThrow('not a path');
  }
});
