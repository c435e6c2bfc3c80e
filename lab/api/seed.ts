/** What a new lab has before anybody asks for it: the default security group, buckets and zones. */
import type { SecurityGroup } from '../world/model.ts';
import type { World } from '../world/world.ts';
import { createZone } from './route53/zones.ts';
import type { Buckets } from './s3/store.ts';

/** Adds what is missing, so starting again over an old state changes nothing. */
export function seedWorld(
  world: World,
  buckets: Buckets,
  seed: { readonly buckets: readonly string[]; readonly zones: readonly string[] },
): void {
  if (world.state.securityGroups.size === 0) seedDefaultGroup(world);
  for (const bucket of seed.buckets) buckets.create(bucket);
  const names = new Set([...world.state.zones.values()].map((zone) => zone.name));
  for (const zone of seed.zones) {
    const name = `${zone}.`;
    if (names.has(name)) continue;
    const draft = world.draft();
    const created = createZone(draft, { name, callerReference: `lab ${zone}`, comment: 'Made with the lab' });
    world.commit(draft, { name: 'zone.created', subject: created.id, detail: { name } });
  }
}

/** AWS's default group lets in its own members only; the lab's also lets in this computer, which is on the VPC's network. */
function seedDefaultGroup(world: World): void {
  const draft = world.draft();
  const group: SecurityGroup = {
    id: draft.id('sg'),
    name: 'default',
    description: 'default VPC security group',
    vpcId: world.region.vpcId,
    ingress: [
      { protocol: '-1', source: { cidr: world.region.vpcCidr, description: 'the whole network of the lab' } },
    ],
    egress: [{ protocol: '-1', source: { cidr: '0.0.0.0/0' } }],
    tags: {},
  };
  draft.put('securityGroups', group.id, group);
  world.commit(draft, { name: 'security-group.created', subject: group.id });
}
