/** Removes secret values from text before anybody can read it: whole, encoded, quoted, or cut between chunks. Pure. */

/** What a hidden value looks like; several in a row collapse into one. */
const replacement = '••••';

/** Shorter values are left alone: hiding every `1` or `yes` would make a log unreadable and protect nothing. */
const shortest = 6;

/** Where `base64` and PEM writers break their lines. */
const wrapColumns = [64, 76];

export interface Mask {
  /** `text` without any of the secrets. */
  apply(text: string): string;
  /** The same over a stream of bytes; every stream keeps its own place. */
  stream(): MaskStream;
}

/** Output may lag behind input by the length of the longest form of a secret; `end` returns the rest. */
export interface MaskStream {
  push(chunk: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/** A mask for these values, in any order and with repetitions. Values under six characters are not hidden. */
export function createMask(secrets: Iterable<string>): Mask {
  const forms = [...new Set([...secrets].flatMap(formsOf))].map(latin1);
  return {
    apply: (text) => {
      const stream = createStream(forms);
      return Buffer.concat([stream.push(Buffer.from(text)), stream.end()]).toString();
    },
    stream: () => createStream(forms),
  };
}

/**
 * Works on bytes written as Latin-1 text, one character each, so that a chunk may end inside a UTF-8 character.
 * A form that begins before `settled` lies wholly in `held`, so the fate of everything before it is known.
 */
function createStream(forms: readonly string[]): MaskStream {
  const longest = forms.reduce((most, form) => Math.max(most, form.length), 1);
  const written = latin1(replacement);
  let held = '';
  /** Set while the last thing written is a replacement: how much of `held` it stands for. */
  let covered: number | undefined;

  function advance(settled: number): Uint8Array {
    const out: string[] = [];
    let at = covered ?? 0;
    let open = covered !== undefined;
    for (const match of matchesIn(held, forms)) {
      if (match.start >= settled) break;
      if (match.start > at || !open) out.push(held.slice(at, match.start), written);
      at = Math.max(at, match.end);
      open = true;
    }
    if (at < settled) {
      out.push(held.slice(at, settled));
      at = settled;
      open = false;
    }
    held = held.slice(settled);
    covered = open ? at - settled : undefined;
    return Buffer.from(out.join(''), 'latin1');
  }

  return {
    push: (chunk) => {
      held += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
      return advance(Math.max(0, held.length - longest + 1));
    },
    end: () => advance(held.length),
  };
}

interface Match {
  readonly start: number;
  readonly end: number;
}

/** Every occurrence of every form, overlapping ones included, by start. */
function matchesIn(text: string, forms: readonly string[]): readonly Match[] {
  const matches: Match[] = [];
  for (const form of forms) {
    for (let start = text.indexOf(form); start !== -1; start = text.indexOf(form, start + 1)) {
      matches.push({ start, end: start + form.length });
    }
  }
  return matches.toSorted((a, b) => a.start - b.start);
}

/** The ways a secret turns up in the output of programs: the whole value, and each line on its own. */
function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  return [secret, ...lines]
    .filter((value) => value.length >= shortest)
    .flatMap((value) => [value, ...base64Forms(value), ...urlForms(value), ...quotedForms(value)])
    .filter((form) => form.length >= shortest);
}

/** Base64 of the value alone, wrapped, and inside something longer such as `user:password`, at each alignment. */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const whole = bytes.toString('base64');
  const inside = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const firstOwn = Math.ceil((before * 8) / 6);
    const lastOwn = Math.floor(((before + bytes.length) * 8) / 6);
    return encoded.slice(firstOwn, lastOwn);
  });
  const wrapped = wrapColumns.flatMap((columns) => whole.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []);
  const standard = [whole, whole.replaceAll('=', ''), ...inside, ...wrapped];
  return [...standard, ...standard.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

function urlForms(value: string): string[] {
  const usual = encodeURIComponent(value.toWellFormed());
  const strict = usual.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  const spaced = [usual, strict].flatMap((form) => [form, form.replaceAll('%20', '+')]);
  return [...spaced, ...spaced.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/** As shells, `set -x`, `printf %q`, Python's shlex and JSON write it, without the outer quotes. */
function quotedForms(value: string): string[] {
  return [
    value.replaceAll("'", "'\\''"),
    value.replaceAll("'", `'"'"'`),
    value.replace(/["\\$`]/g, '\\$&'),
    value.replace(/[\s'"\\|&;()<>!{}*[\]?^$`,]/g, '\\$&'),
    value.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t'),
    JSON.stringify(value).slice(1, -1),
  ];
}

/** The UTF-8 bytes of `text`, one character each. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
