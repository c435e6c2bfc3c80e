/** IPv4 addresses and CIDR blocks as numbers. Pure. */

/** `10.77.0.1` as an unsigned 32-bit number; undefined when it is not an address. */
export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const bytes = match.slice(1).map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The dotted form of a number. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** A CIDR block: its first address as a number, and how many it has. */
export interface Block {
  readonly first: number;
  readonly size: number;
  readonly prefixLength: number;
}

/** `10.77.64.0/18`; undefined when malformed or when host bits are set, which AWS refuses too. */
export function parseBlock(text: string): Block | undefined {
  const [address, length, rest] = text.split('/');
  const first = parseAddress(address ?? '');
  if (first === undefined || rest !== undefined || !/^\d{1,2}$/.test(length ?? '')) return undefined;
  const prefixLength = Number(length);
  if (prefixLength > 32) return undefined;
  const size = 2 ** (32 - prefixLength);
  return first % size === 0 ? { first, size, prefixLength } : undefined;
}

/** Whether the block holds the address. */
export function contains(block: Block, address: number): boolean {
  return address >= block.first && address < block.first + block.size;
}

/** EC2's private DNS name of an address. */
export function privateName(address: string): string {
  return `ip-${address.replaceAll('.', '-')}.ec2.internal`;
}
