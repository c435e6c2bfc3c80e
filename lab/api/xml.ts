/** XML as AWS writes and reads it: answers from plain objects, request bodies into a small strict tree. */
import { CloudError } from '../world/cloud-error.ts';

/** Text that is XML already, e.g. from a cache. */
export class RawXml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object's keys are elements, an array repeats its element, undefined is left out, a Date is RFC 3339. */
export type Xml = string | number | boolean | Date | RawXml | XmlObject | undefined;
export interface XmlObject {
  readonly [element: string]: Xml | readonly Xml[];
}

/** The elements of `value` as text, without an XML declaration. */
export function writeXml(value: Xml): string {
  if (value === undefined) return '';
  if (value instanceof RawXml) return value.text;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object') return escapeText(String(value));
  let text = '';
  for (const [name, content] of Object.entries(value)) {
    for (const one of Array.isArray(content) ? (content as readonly Xml[]) : [content as Xml]) {
      if (one !== undefined) text += `<${name}>${writeXml(one)}</${name}>`;
    }
  }
  return text;
}

function escapeText(text: string): string {
  // Control characters cannot appear in XML 1.0 as they are; AWS writes references too.
  return text.replace(/[<>&"']|(?![\n\t])\p{Cc}/gu, (char) => `&#${char.charCodeAt(0)};`);
}

/** One element of a request body: text, or children; attributes are dropped. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface OpenElement extends XmlElement {
  text: string;
  readonly children: OpenElement[];
}

const IGNORED = /^\ufeff|<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g;
const TOKEN = /<(\/?)([A-Za-z_][\w.:-]*)(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>|[^<]+|</g;

/**
 * Parses a whole document. DTDs, CDATA and entities beyond the five of XML are refused: no AWS client sends them.
 * @throws CloudError MalformedXML
 */
export function parseXml(document: string): XmlElement {
  const root: OpenElement = { name: '', text: '', children: [] };
  const open = [root];
  for (const [token, closing, name, empty] of document.replace(IGNORED, '').matchAll(TOKEN)) {
    const parent = open.at(-1) ?? root;
    if (name === undefined) {
      addText(parent, token);
    } else if (closing) {
      if (parent === root || parent.name !== name) throw malformed();
      open.pop();
    } else {
      const element: OpenElement = { name, text: '', children: [] };
      parent.children.push(element);
      if (!empty) open.push(element);
    }
  }
  const [top, second] = root.children;
  if (!top || second || open.length > 1) throw malformed();
  return top;
}

function addText(parent: OpenElement, text: string): void {
  const outside = parent.name === '';
  if (text === '<' || (outside && text.trim() !== '')) throw malformed();
  parent.text += unescapeText(text);
}

/** All children of a name. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The first child of a name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** The text of the first child of a name. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeText(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));|&/g,
    (_, hex?: string, decimal?: string, name?: string) => {
      const known = name === undefined ? undefined : ENTITIES[name];
      if (known !== undefined) return known;
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal ?? Number.NaN);
      if (!(code <= 0x10ffff)) throw malformed();
      return String.fromCodePoint(code);
    },
  );
}

function malformed(): CloudError {
  return new CloudError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  );
}
