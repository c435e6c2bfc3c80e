/** Secrets never get past the mask, in whatever form and however the stream is cut. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMask } from '../../../controller/job-logs/mask.ts';

const secret = "tr0ub4dor&3 'quoted' $HOME";

describe('forms of a secret', () => {
  test.each([
    ['as it is', secret],
    ['base64', Buffer.from(secret).toString('base64')],
    ['base64url', Buffer.from(secret).toString('base64url')],
    ['URL', encodeURIComponent(secret)],
    ['URL, lower-case codes', encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())],
    ['form', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['single quotes of a shell', secret.replaceAll("'", "'\\''")],
    ['double quotes of a shell', `tr0ub4dor&3 'quoted' \\$HOME`],
    ['printf %q', `tr0ub4dor\\&3\\ \\'quoted\\'\\ \\$HOME`],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
  ])('%s', (_, form) => {
    expect(createMask([secret]).apply(`<${form}>`)).toBe('<••••>');
  });

  test.each([1, 2, 3, 4])('base64 behind %i other bytes', (before) => {
    const masked = createMask(['correct horse battery']).apply(
      Buffer.from(`${'u'.repeat(before)}correct horse battery\n`).toString('base64'),
    );
    expect(masked).toMatch(/^[A-Za-z0-9+/]{0,6}••••[A-Za-z0-9+/=]{1,4}$/);
  });

  test('each line of a longer value', () => {
    const key = '-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\n-----END KEY-----\n';
    expect(createMask([key]).apply('12:00 -----BEGIN KEY-----\n12:00 AAAAB3NzaC1yc2E\n')).toBe(
      '12:00 ••••\n12:00 ••••\n',
    );
  });

  test('base64 that was wrapped into lines', () => {
    const long = 'x1y2'.repeat(40);
    const wrapped = Buffer.from(long).toString('base64').replace(/.{76}/g, '$&\n');
    expect(createMask([long]).apply(wrapped)).toBe('••••\n••••\n••••');
  });
});

test('values too short to hide are left alone, the rest is kept byte for byte', () => {
  expect(createMask(['yes', '', '12345']).apply('yes 12345 Größe 😀')).toBe('yes 12345 Größe 😀');
});

test('neighbors and overlaps collapse into one replacement', () => {
  expect(createMask(['aaaaaa']).apply('aaaaaaaaaaaaaaaaaaaab')).toBe('••••b');
  expect(createMask(['abcdef', 'efghij']).apply('-abcdefghij-abcdefefghij-')).toBe('-••••-••••-');
});

const secrets = fc.array(fc.string({ minLength: 6, maxLength: 30, unit: 'grapheme' }), {
  minLength: 1,
  maxLength: 4,
});

/** Text in which the secrets turn up among other words. */
const planted = secrets.chain((values) =>
  fc.record({
    values: fc.constant(values),
    text: fc
      .array(fc.oneof(fc.constantFrom(...values), fc.string({ maxLength: 12 })), { maxLength: 12 })
      .map((parts) => parts.join('')),
    cuts: fc.array(fc.nat(400), { maxLength: 12 }),
  }),
);

test('no chunking of the stream leaks a secret or changes the result', () => {
  fc.assert(
    fc.property(planted, ({ values, text, cuts }) => {
      const mask = createMask(values);
      const whole = mask.apply(text);
      for (const value of values) expect(whole.includes(value)).toBe(false);

      const stream = mask.stream();
      const bytes = Buffer.from(text);
      const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].toSorted(
        (a, b) => a - b,
      );
      const chunks = edges.slice(1).map((edge, at) => stream.push(bytes.subarray(edges[at], edge)));
      expect(Buffer.concat([...chunks, stream.end()]).toString()).toBe(whole);
    }),
    { numRuns: 500 },
  );
});

test('text without secrets passes unchanged', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(createMask(['correct horse battery']).apply(text)).toBe(text);
    }),
  );
});
