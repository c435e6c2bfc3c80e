/** Mirrors out of a machine's apt configuration. */
import { expect, test } from 'vitest';
import { mirrorsOf, sourceLines } from '../../../../lab/ami/mirror.ts';

const deb822 = `# a comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
`;

test('reads deb822 sources', () => {
  expect(mirrorsOf(new Map([['debian.sources', deb822]]))).toEqual({
    main: 'http://mirror.example/debian',
    security: 'http://mirror.example/security',
  });
});

test('reads one-line sources and finds the security archive beside the main one', () => {
  const text =
    '# deb http://old.example/debian trixie main\ndeb [signed-by=/k.gpg] http://mirror.example/debian/ trixie main\n';
  expect(mirrorsOf(new Map([['sources.list', text]]))).toEqual({
    main: 'http://mirror.example/debian/',
    security: 'http://mirror.example/debian-security',
  });
});

test('ignores other archives, source packages and disabled stanzas', () => {
  const files = new Map([
    ['ubuntu.sources', 'Types: deb\nURIs: http://mirror.example/ubuntu\nSuites: noble noble-updates\n'],
    ['off.sources', 'Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: trixie\n'],
    ['src.sources', 'Types: deb-src\nURIs: http://mirror.example/debian\nSuites: trixie\n'],
    ['node.list', 'deb http://other.example/node nodistro main\n'],
  ]);
  expect(mirrorsOf(files)).toBeUndefined();
});

test('names updates and security for a stable suite, neither for sid, and nothing without mirrors', () => {
  const mirrors = { main: 'http://m/debian', security: 'http://m/security' };
  expect(sourceLines('trixie', mirrors)).toEqual([
    'deb http://m/debian trixie main',
    'deb http://m/debian trixie-updates main',
    'deb http://m/security trixie-security main',
  ]);
  expect(sourceLines('sid', mirrors)).toEqual(['deb http://m/debian sid main']);
  expect(sourceLines('trixie', undefined)).toEqual([]);
});
