/** Makes source maps small: Node keeps every position of them in memory, and stack traces need lines only. */

/** Of a source map (version 3), as far as it is read here. */
interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/** A position in the bundle and what it comes from, as source maps hold it. */
type Segment = readonly [column: number, source: number, line: number, sourceColumn: number];

/**
 * The same map with one position for each line of our sources that is in a line of the bundle, and one for each file of
 * a package: 17 MB become 2 in a running process.
 */
export function keepLines(map: string): string {
  const parsed = JSON.parse(map) as SourceMap;
  const isPackage = parsed.sources.map((source) => source.includes('node_modules/'));
  let last: Segment | undefined;
  const lines = decode(parsed.mappings).map((segments) =>
    segments.filter((segment) => {
      const [, source, line] = segment;
      const isNews = source !== last?.[1] || (isPackage[source] !== true && line !== last[2]);
      if (isNews) last = segment;
      return isNews;
    }),
  );
  return JSON.stringify({ ...parsed, names: [], mappings: encode(lines) });
}

/** The segments of each line. All numbers but the column are written as differences to those of the segment before. */
function decode(mappings: string): readonly (readonly Segment[])[] {
  let [source, line, sourceColumn] = [0, 0, 0];
  return mappings.split(';').map((text) => {
    let column = 0;
    return text.split(',').flatMap((digits): Segment[] => {
      const [columns, ...rest] = numbersOf(digits);
      column += columns ?? 0;
      const [sources, lines, sourceColumns] = rest;
      // One number only: this part of the bundle comes from nowhere.
      if (sources === undefined || lines === undefined || sourceColumns === undefined) return [];
      source += sources;
      line += lines;
      sourceColumn += sourceColumns;
      return [[column, source, line, sourceColumn]];
    });
  });
}

function encode(lines: readonly (readonly Segment[])[]): string {
  let before: Segment = [0, 0, 0, 0];
  return lines
    .map((segments) => {
      before = [0, before[1], before[2], before[3]];
      const texts = segments.map((segment) => {
        const text = segment.map((number, place) => digitsOf(number - before[place]!)).join('');
        before = segment;
        return text;
      });
      return texts.join(',');
    })
    .join(';');
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const valueOf = new Map(Array.from(alphabet, (digit, value) => [digit, value]));

/** Base 64 digits of five bits and one that says that more follow; the lowest bit of a number is its sign. */
function numbersOf(digits: string): readonly number[] {
  const numbers: number[] = [];
  let [sum, shift] = [0, 0];
  for (const digit of digits) {
    const value = valueOf.get(digit)!;
    sum += (value & 31) << shift;
    shift += 5;
    if ((value & 32) !== 0) continue;
    numbers.push((sum & 1) === 0 ? sum >>> 1 : -(sum >>> 1));
    [sum, shift] = [0, 0];
  }
  return numbers;
}

function digitsOf(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let digits = '';
  do {
    const value = rest & 31;
    rest >>>= 5;
    digits += alphabet[rest > 0 ? value | 32 : value];
  } while (rest > 0);
  return digits;
}
