/** XML as the lab writes and reads it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { childrenOf, parseXml, RawXml, textOf, writeXml } from '../../../../lab/api/xml.ts';

describe('writeXml', () => {
  test('objects, lists, dates, raw text; undefined is left out', () => {
    const value = {
      a: 1,
      list: { item: ['x', 'y'] },
      gone: undefined,
      at: new Date(0),
      raw: new RawXml('<z/>'),
      none: { item: [] },
    };
    expect(writeXml(value)).toBe(
      '<a>1</a><list><item>x</item><item>y</item></list><at>1970-01-01T00:00:00.000Z</at><raw><z/></raw><none></none>',
    );
  });
});

describe('parseXml', () => {
  test('reads back any text that was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textOf(parseXml(`<r>${writeXml({ v: text })}</r>`), 'v')).toBe(text);
      }),
    );
  });

  test('declaration, comments, namespaces, attributes and empty elements', () => {
    const root = parseXml(
      '<?xml version="1.0"?><!-- hi --><a xmlns="http://x"><b/><b k="1">t&amp;&#65;&#x42;</b></a>',
    );
    expect(childrenOf(root, 'b').map(({ text }) => text)).toEqual(['', 't&AB']);
  });

  test.each([
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a>&nope;</a>',
    '<a>x & y</a>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a><![CDATA[x]]></a>',
    '</a>',
    '<a b></a>',
    '<a>&#x110000;</a>',
  ])('refuses %j', (document) => {
    expect(() => parseXml(document)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
  });
});
