/** Nothing anybody writes into an input means anything to a shell. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandLine, quote } from '../../../controller/shell/quoting.ts';

const nasty = [
  '$(id)',
  '`id`',
  "'",
  "'; id; '",
  '"',
  '\\',
  '\n',
  '!!',
  '*',
  '~',
  '-n',
  '--',
  '',
  '${IFS}',
  '&',
  '|',
  '\r',
];

/** Any text a command line can carry, made of parts shells care about and of anything else. */
const hostile = fc
  .array(
    fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })),
    {
      maxLength: 6,
    },
  )
  .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed());

describe('quote', () => {
  it('brings 10,000 hostile inputs through a shell unchanged', () => {
    const inputs = fc.sample(hostile, 10_000);
    for (let start = 0; start < inputs.length; start += 1_000) {
      const batch = inputs.slice(start, start + 1_000);
      const output = execFileSync('/bin/sh', [], {
        input: `printf '%s\\0' ${commandLine(...batch)}\n`,
        encoding: 'utf8',
      });
      expect(output.split('\0').slice(0, -1)).toEqual(batch);
    }
  });

  it('refuses what no quoting can carry', () => {
    expect(() => quote('a\0b')).toThrow(RangeError);
  });
});
