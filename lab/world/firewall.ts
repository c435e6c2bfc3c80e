/** Security groups as the runtime enforces them: each machine's inbound rules with its groups merged. Pure. */
import type { SecurityGroup, SecurityRule } from './model.ts';
import type { FirewallRule, MachineFirewall } from './runtime.ts';
import type { State } from './state.ts';

/** One firewall per machine that is not terminated; a rule's source group becomes the addresses of its members. */
export function firewalls(state: State): readonly MachineFirewall[] {
  const alive = [...state.instances.values()].filter((instance) => instance.state !== 'terminated');
  const members = new Map<string, string[]>();
  for (const instance of alive) {
    for (const group of instance.securityGroupIds) {
      const addresses = members.get(group) ?? [];
      addresses.push(`${instance.privateIp}/32`);
      members.set(group, addresses);
    }
  }
  const merged = new Map<string, readonly FirewallRule[]>();
  for (const group of state.securityGroups.values()) merged.set(group.id, groupRules(group, members));
  return alive.map((instance) => ({
    instanceId: instance.id,
    privateIp: instance.privateIp,
    ingress: instance.securityGroupIds.flatMap((group) => merged.get(group) ?? []),
  }));
}

function groupRules(
  group: SecurityGroup,
  members: ReadonlyMap<string, readonly string[]>,
): readonly FirewallRule[] {
  return group.ingress.map((rule) => ({
    protocol: rule.protocol,
    fromPort: Math.max(rule.fromPort ?? 0, 0),
    toPort: rule.toPort === undefined || rule.toPort < 0 ? 65_535 : rule.toPort,
    sources: sources(rule, members),
  }));
}

function sources(rule: SecurityRule, members: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return 'cidr' in rule.source ? [rule.source.cidr] : (members.get(rule.source.groupId) ?? []);
}
