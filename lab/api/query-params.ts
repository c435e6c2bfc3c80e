/** Parameters of the EC2 query protocol: `Filter.1.Value.2=x` read as lists and structures. */
import { CloudError } from '../world/cloud-error.ts';

/** A view of the parameters under a prefix. Lists are ordered by their index, whatever order they came in. */
export class QueryParams {
  readonly #all: ReadonlyMap<string, string>;
  readonly #prefix: string;

  constructor(all: ReadonlyMap<string, string>, prefix = '') {
    this.#all = all;
    this.#prefix = prefix;
  }

  static parse(body: string): QueryParams {
    return new QueryParams(new Map(new URLSearchParams(body)));
  }

  string(name: string): string | undefined {
    return this.#all.get(this.#prefix + name);
  }

  /** @throws CloudError MissingParameter */
  required(name: string): string {
    const value = this.string(name);
    if (value === undefined || value === '') {
      throw new CloudError(
        'MissingParameter',
        `The request must contain the parameter ${this.#prefix}${name}`,
      );
    }
    return value;
  }

  /** @throws CloudError InvalidParameterValue */
  integer(name: string): number | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value)) throw invalidValue(value, name, 'It is not an integer.');
    return Number(value);
  }

  /** @throws CloudError InvalidParameterValue */
  boolean(name: string): boolean | undefined {
    const value = this.string(name)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw invalidValue(value, name, 'It must be true or false.');
    return value === 'true';
  }

  /** The values of `name.1`, `name.2`, … */
  list(name: string): readonly string[] {
    return this.#indices(name).flatMap((index) => this.string(`${name}.${index}`) ?? []);
  }

  /** The structures `name.1.*`, `name.2.*`, … */
  structs(name: string): readonly QueryParams[] {
    return this.#indices(name).map((index) => this.struct(`${name}.${index}`));
  }

  /** The structure `name.*`; empty when nothing of it was sent. */
  struct(name: string): QueryParams {
    return new QueryParams(this.#all, `${this.#prefix}${name}.`);
  }

  /** Every parameter, sorted by name: equal requests give equal text. */
  canonical(without: readonly string[]): string {
    const pairs = [...this.#all].filter(([name]) => !without.includes(name));
    return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #indices(name: string): readonly number[] {
    const prefix = `${this.#prefix}${name}.`;
    const found = new Set<number>();
    for (const key of this.#all.keys()) {
      if (!key.startsWith(prefix)) continue;
      const index = Number.parseInt(key.slice(prefix.length), 10);
      if (index > 0) found.add(index);
    }
    return [...found].toSorted((a, b) => a - b);
  }
}

/** EC2's complaint about one value. */
export function invalidValue(value: string, name: string, why: string): CloudError {
  return new CloudError('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. ${why}`);
}
