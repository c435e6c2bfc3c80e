/** Frames: whose they are, and their checksums. */
import { expect, test } from 'vitest';
import { completeChecksum, endsOf } from '../../../../lab/sandbox/packet.ts';

/** A UDP datagram `hi!` from 10.0.0.1:1000 to 10.0.0.2:2000, whose checksum was left out; padded as Ethernet does. */
function udp(payload = 'hi!'): Buffer {
  const length = 8 + payload.length;
  const frame = Buffer.alloc(Math.max(60, 34 + length));
  frame.writeUInt16BE(0x0800, 12);
  frame.writeUInt8(0x45, 14);
  frame.writeUInt16BE(20 + length, 16);
  frame.writeUInt8(17, 23);
  frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  frame.writeUInt16BE(1_000, 34);
  frame.writeUInt16BE(2_000, 36);
  frame.writeUInt16BE(length, 38);
  frame.writeUInt16BE(0xdead, 40);
  frame.write(payload, 42);
  return frame;
}

/** Adds up what the receiver adds up; a right packet gives 0xffff. */
function receiverSum(frame: Buffer): number {
  const end = 14 + frame.readUInt16BE(16);
  const bytes = [0, 17, 0, end - 34, ...frame.subarray(26, 34), ...frame.subarray(34, end)];
  if (bytes.length % 2 === 1) bytes.push(0);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) + bytes[at + 1]!;
  return (sum & 0xffff) + (sum >>> 16);
}

test.each(['hi!', 'even', ''])('the checksum of "%s" is what the receiver expects', (payload) => {
  const frame = udp(payload);
  expect(receiverSum(frame)).not.toBe(0xffff);
  completeChecksum(frame);
  expect(receiverSum(frame)).toBe(0xffff);
});

test('fragments, other protocols and stubs of frames are left alone', () => {
  const fragment = udp();
  fragment.writeUInt16BE(0x2000, 20);
  const icmp = udp();
  icmp.writeUInt8(1, 23);
  for (const frame of [fragment, icmp, Buffer.alloc(10)]) {
    const before = Buffer.from(frame);
    completeChecksum(frame);
    expect(frame).toEqual(before);
  }
});

test('IPv4 and ARP frames have ends, others have none', () => {
  expect(endsOf(udp())).toEqual({ from: '10.0.0.1', to: '10.0.0.2' });
  const arp = Buffer.alloc(60);
  arp.writeUInt16BE(0x0806, 12);
  arp.set([10, 0, 0, 3], 28);
  arp.set([10, 0, 0, 4], 38);
  expect(endsOf(arp)).toEqual({ from: '10.0.0.3', to: '10.0.0.4' });
  expect(endsOf(Buffer.alloc(60))).toBeUndefined();
  expect(endsOf(Buffer.alloc(4))).toBeUndefined();
});
