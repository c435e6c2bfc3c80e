/** A change being written: collects records over an unchanged state and gives out ids and addresses, deterministically. */
import { createHash } from 'node:crypto';
import { CloudError } from './cloud-error.ts';
import { formatAddress, parseAddress, parseBlock } from './ipv4.ts';
import type { Subnet, TableName, Tables } from './model.ts';
import { put, remove, type State, type Write } from './state.ts';

/** Of each subnet AWS keeps the first four addresses and the last. */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

/** Nothing happens to the state until the draft's writes are committed. Ids depend on the state and the seed alone. */
export class Draft {
  /** Milliseconds since the epoch, for every timestamp in this change. */
  readonly now: number;
  readonly #state: State;
  readonly #seed: string;
  readonly #counters = new Map<string, number>();
  readonly #writes: Write[] = [];
  #usedAddresses: Set<string> | undefined;

  constructor(state: State, seed: string, now: number) {
    this.#state = state;
    this.#seed = seed;
    this.now = now;
  }

  get writes(): readonly Write[] {
    return [...this.#writes, ...[...this.#counters].map(([key, value]) => put('counters', key, value))];
  }

  put<T extends TableName>(table: T, key: string, value: Tables[T]): void {
    this.#writes.push(put(table, key, value));
  }

  remove(table: TableName, key: string): void {
    this.#writes.push(remove(table, key));
  }

  /** A fresh id such as `i-0f3c…` (17 hexadecimal digits, as EC2's). */
  id(prefix: string): string {
    return `${prefix}-${this.#digest(prefix).slice(0, 17)}`;
  }

  /** A fresh id in Route 53's style: a letter and 20 capitals or digits. */
  dnsId(prefix: 'Z' | 'C'): string {
    return `${prefix}${this.#digest(prefix).slice(0, 20).toUpperCase()}`;
  }

  /**
   * The next free address of a subnet, round and round, so an address is not used again soon after its machine died.
   * @throws CloudError InsufficientFreeAddressesInSubnet
   */
  address(subnet: Subnet): string {
    const block = parseBlock(subnet.cidr);
    if (!block) throw new Error(`subnet ${subnet.id} has the malformed block ${subnet.cidr}`);
    const usable = block.size - RESERVED_FIRST - RESERVED_LAST;
    const used = this.#used();
    const counter = `address/${subnet.id}`;
    for (let tries = 0; tries < usable; tries += 1) {
      const offset = this.#count(counter) % usable;
      const candidate = formatAddress(block.first + RESERVED_FIRST + offset);
      if (used.has(candidate)) continue;
      used.add(candidate);
      return candidate;
    }
    throw new CloudError(
      'InsufficientFreeAddressesInSubnet',
      `Not enough free addresses in subnet ${subnet.id}.`,
    );
  }

  /** Takes one named address. @throws CloudError InvalidIPAddress.InUse, InvalidParameterValue */
  claim(subnet: Subnet, address: string): string {
    const block = parseBlock(subnet.cidr);
    const number = parseAddress(address);
    const offset = block && number !== undefined ? number - block.first : -1;
    if (!block || offset < RESERVED_FIRST || offset >= block.size - RESERVED_LAST) {
      throw new CloudError(
        'InvalidParameterValue',
        `Address ${address} does not fall within the subnet's address range`,
      );
    }
    const used = this.#used();
    if (used.has(address)) throw new CloudError('InvalidIPAddress.InUse', `Address ${address} is in use.`);
    used.add(address);
    return address;
  }

  /** Counts on from the state's counter: 0 the first time. */
  #count(key: string): number {
    const last = this.#counters.get(key) ?? this.#state.counters.get(key) ?? 0;
    this.#counters.set(key, last + 1);
    return last;
  }

  #digest(prefix: string): string {
    const count = this.#count(`id/${prefix}`);
    return createHash('sha256').update(`${this.#seed}/${prefix}/${count}`).digest('hex');
  }

  #used(): Set<string> {
    this.#usedAddresses ??= new Set(
      [...this.#state.instances.values()]
        .filter((instance) => instance.state !== 'terminated')
        .map((instance) => instance.privateIp),
    );
    return this.#usedAddresses;
  }
}
