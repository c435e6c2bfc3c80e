/** The bridge's packet rules as text for nft. */
import { expect, test } from 'vitest';
import { renderFirewall } from '../../../../lab/sandbox/firewall.ts';

const web = {
  instanceId: 'i-1',
  privateIp: '10.77.32.4',
  ingress: [{ protocol: 'tcp', fromPort: 80, toPort: 80, sources: ['0.0.0.0/0'] }],
} as const;

test('replaces the table in one transaction, whether it existed or not', () => {
  const script = renderFirewall([], []);
  expect(script.split('\n').slice(0, 2)).toEqual(['table bridge ridgeline', 'delete table bridge ridgeline']);
  expect(script).not.toContain('elements');
  expect(script).not.toContain('vmap');
});

test('a cut holds for passing packets and for the lab itself, in one direction', () => {
  const script = renderFirewall([{ from: '10.77.32.4', to: '10.77.64.9' }], []);
  expect(script).toContain('elements = { 10.77.32.4 . 10.77.64.9 }');
  expect(script.match(/@cuts drop/g)).toHaveLength(3);
});

test('what no rule allows is dropped, answers pass', () => {
  const script = renderFirewall([], [web]);
  const chain = /chain to_10_77_32_4 \{\n([^}]*)\n {2}\}/
    .exec(script)?.[1]
    ?.split('\n')
    .map((line) => line.trim());
  expect(chain).toEqual([
    'ip protocol tcp tcp flags & (syn | ack) != syn accept',
    'ip protocol udp udp dport 32768-65535 accept',
    'ip protocol icmp icmp type != echo-request accept',
    'ip protocol tcp tcp dport 80-80 accept',
    'drop',
  ]);
  expect(script).toContain('ip daddr vmap { 10.77.32.4 : jump to_10_77_32_4 }');
});

test('overlapping sources become one set nft accepts', () => {
  const sources = ['10.77.32.4/32', '10.77.32.0/19', '192.0.2.1/32', '192.0.2.1/32'];
  const script = renderFirewall(
    [],
    [{ ...web, ingress: [{ protocol: '-1', fromPort: 0, toPort: 65_535, sources }] }],
  );
  expect(script).toContain('ip saddr { 10.77.32.0/19, 192.0.2.1/32 } accept');
});
