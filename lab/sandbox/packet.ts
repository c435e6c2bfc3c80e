/** What a relay must know of an Ethernet frame: whose it is, and its checksum. Pure. */

const ipv4 = 0x0800;
const arp = 0x0806;
const ethernetLength = 14;
/** Where the checksum lies in each protocol's header. */
const checksumAt: Readonly<Record<number, number>> = { 6: 16, 17: 6 };

export interface Ends {
  readonly from: string;
  readonly to: string;
}

/** The addresses of an IPv4 or ARP frame; undefined for any other. */
export function endsOf(frame: Buffer): Ends | undefined {
  if (frame.length < ethernetLength + 20) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === ipv4) return { from: address(frame, 26), to: address(frame, 30) };
  if (type === arp && frame.length >= 42) return { from: address(frame, 28), to: address(frame, 38) };
  return undefined;
}

/**
 * Writes the checksum of a TCP or UDP packet. Senders on this computer leave it to a network card that is not there, and
 * whoever gets the frame back from a relay would throw it away. Fragments are left alone.
 */
export function completeChecksum(frame: Buffer): void {
  if (frame.length < ethernetLength + 20 || frame.readUInt16BE(12) !== ipv4) return;
  const header = (frame.readUInt8(ethernetLength) & 0x0f) * 4;
  const end = Math.min(frame.length, ethernetLength + frame.readUInt16BE(16));
  const protocol = frame.readUInt8(23);
  const start = ethernetLength + header;
  const place = start + (checksumAt[protocol] ?? Number.POSITIVE_INFINITY);
  const isFragment = (frame.readUInt16BE(20) & 0x3fff) !== 0;
  if (isFragment || place + 2 > end) return;
  frame.writeUInt16BE(0, place);
  // The pseudo header: both addresses, protocol and length.
  const sum = sumOf(frame, 26, 34) + protocol + (end - start) + sumOf(frame, start, end);
  const folded = ~fold(sum) & 0xffff;
  // In UDP zero means none.
  frame.writeUInt16BE(folded === 0 && protocol === 17 ? 0xffff : folded, place);
}

function sumOf(frame: Buffer, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at + 1 < end; at += 2) sum += ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  return (end - start) % 2 === 1 ? sum + ((frame[end - 1] ?? 0) << 8) : sum;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

function address(frame: Buffer, at: number): string {
  return frame.subarray(at, at + 4).join('.');
}
