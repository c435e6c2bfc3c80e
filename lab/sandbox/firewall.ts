/** The packet rules of the lab's bridge: cuts between addresses and the machines' security groups, as one nft script. Pure. */
import { BlockList } from 'node:net';
import type { Cut, FirewallRule, MachineFirewall } from '../world/runtime.ts';

const table = 'bridge ridgeline';

/**
 * A script for `nft -f -` that replaces the whole table in one transaction. Only packets the bridge passes on are judged by
 * security groups; cuts also hold for the lab's own addresses (API, DNS, metadata).
 */
export function renderFirewall(cuts: readonly Cut[], machines: readonly MachineFirewall[]): string {
  const chains = machines.flatMap((machine) => machineChain(machine));
  const jumps = machines.map(({ privateIp }) => `${privateIp} : jump ${chainName(privateIp)}`);
  return [
    `table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    '  set cuts {',
    '    type ipv4_addr . ipv4_addr',
    ...(cuts.length > 0
      ? [`    elements = { ${cuts.map(({ from, to }) => `${from} . ${to}`).join(', ')} }`]
      : []),
    '  }',
    ...chains,
    ...['input', 'output'].flatMap((hook) => baseChain(hook, [])),
    ...baseChain('forward', jumps.length > 0 ? [`ip daddr vmap { ${jumps.join(', ')} }`] : []),
    '}',
    '',
  ].join('\n');
}

function baseChain(hook: string, rules: readonly string[]): string[] {
  return [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority 0; policy accept;`,
    ...['ip saddr . ip daddr @cuts drop', ...rules].map((rule) => `    ${rule}`),
    '  }',
  ];
}

function chainName(address: string): string {
  return `to_${address.replaceAll('.', '_')}`;
}

/**
 * Answers pass: the bridge of many kernels has no connection tracking, so an answer is a TCP segment that does not open a
 * connection, a UDP datagram to an ephemeral port, or an ICMP message that is no echo request.
 */
function machineChain({ privateIp, ingress }: MachineFirewall): string[] {
  const rules = [
    'ip protocol tcp tcp flags & (syn | ack) != syn accept',
    'ip protocol udp udp dport 32768-65535 accept',
    'ip protocol icmp icmp type != echo-request accept',
    ...ingress.map(renderRule),
    'drop',
  ];
  return [`  chain ${chainName(privateIp)} {`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function renderRule({ protocol, fromPort, toPort, sources }: FirewallRule): string {
  const blocks = withoutContained(sources);
  const from = blocks.includes('0.0.0.0/0') ? '' : `ip saddr { ${blocks.join(', ')} } `;
  if (protocol === '-1') return `${from}accept`;
  if (protocol === 'icmp') return `${from}ip protocol icmp accept`;
  return `${from}ip protocol ${protocol} ${protocol} dport ${fromPort}-${toPort} accept`;
}

/** nft refuses a set whose intervals overlap, and EC2 allows it: keeps only blocks no other block covers. */
function withoutContained(sources: readonly string[]): string[] {
  const widestFirst = [...new Set(sources)].toSorted((a, b) => prefixOf(a) - prefixOf(b));
  const covered = new BlockList();
  return widestFirst.filter((block) => {
    const address = block.split('/')[0] ?? block;
    if (covered.check(address)) return false;
    covered.addSubnet(address, prefixOf(block));
    return true;
  });
}

function prefixOf(block: string): number {
  return Number(block.split('/')[1] ?? 32);
}
