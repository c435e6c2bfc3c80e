/** CreateTags, DeleteTags and DescribeTags, over every table whose records carry tags. */
import { CloudError } from '../../world/cloud-error.ts';
import type { TableName, Tables, Tags } from '../../world/model.ts';
import type { State } from '../../world/state.ts';
import type { XmlObject } from '../xml.ts';
import { DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';
import { limited, readTags } from './tag-set.ts';

/** The tables whose records carry tags, by the prefix of their ids and EC2's word for them. */
const TAGGED = {
  i: { table: 'instances', type: 'instance', unknown: 'InvalidInstanceID.NotFound' },
  vol: { table: 'volumes', type: 'volume', unknown: 'InvalidVolume.NotFound' },
  snap: { table: 'snapshots', type: 'snapshot', unknown: 'InvalidSnapshot.NotFound' },
  sg: { table: 'securityGroups', type: 'security-group', unknown: 'InvalidGroup.NotFound' },
  key: { table: 'keyPairs', type: 'key-pair', unknown: 'InvalidKeyPair.NotFound' },
  eipalloc: { table: 'addresses', type: 'elastic-ip', unknown: 'InvalidAllocationID.NotFound' },
} as const satisfies Record<string, { table: TableName; type: string; unknown: string }>;

type TaggedTable = (typeof TAGGED)[keyof typeof TAGGED]['table'];

/** Adds to or replaces on all resources, or on none when one is unknown or has too many. */
export function createTags(call: Ec2Call): XmlObject {
  const added = readTags(call.params);
  if (Object.keys(added).length === 0)
    throw new CloudError('MissingParameter', 'The request must contain the parameter Tag');
  return retag(call, 'tags.created', (tags) => limited({ ...tags, ...added }));
}

/** Without tags all go; with a value only tags that have it. */
export function deleteTags(call: Ec2Call): XmlObject {
  const wanted = call.params
    .structs('Tag')
    .map((tag) => ({ key: tag.required('Key'), value: tag.string('Value') }));
  const goes = (key: string, value: string) =>
    wanted.length === 0 ||
    wanted.some((tag) => tag.key === key && (tag.value === undefined || tag.value === value));
  return retag(call, 'tags.deleted', (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key, value]) => !goes(key, value))),
  );
}

/** Of every resource that carries tags. */
export function describeTags({ params, cloud }: Ec2Call): XmlObject {
  const rows = Object.values(TAGGED).flatMap(({ table, type }) =>
    [...taggedRecords(cloud.world.state, table)].flatMap(([resourceId, { tags }]) =>
      Object.entries(tags).map(([key, value]) => ({
        id: `${resourceId}/${key}`,
        resourceId,
        type,
        key,
        value,
        tags,
      })),
    ),
  );
  const found = applyFilters(params, rows, {
    'resource-id': (row) => [row.resourceId],
    'resource-type': (row) => [row.type],
    key: (row) => [row.key],
    value: (row) => [row.value],
  });
  const page = paginate(params, found, { min: 5, max: 1000 });
  return {
    tagSet: {
      item: page.records.map(({ resourceId, type, key, value }) => ({
        resourceId,
        resourceType: type,
        key,
        value,
      })),
    },
    nextToken: page.nextToken,
  };
}

/** Changes the tags of every `ResourceId.n`, or of none when one is unknown. */
function retag(call: Ec2Call, name: string, change: (tags: Tags) => Tags): XmlObject {
  const { world } = call.cloud;
  const draft = world.draft();
  const ids = call.params.list('ResourceId');
  if (ids.length === 0)
    throw new CloudError('MissingParameter', 'The request must contain the parameter ResourceId');
  for (const id of ids) {
    const kind = TAGGED[id.slice(0, id.indexOf('-')) as keyof typeof TAGGED];
    if (!kind) throw new CloudError('InvalidID', `The ID '${id}' is not valid`);
    const record = taggedRecords(world.state, kind.table).get(id);
    if (!record) throw new CloudError(kind.unknown, `The ID '${id}' does not exist`);
    draft.put(kind.table, id, { ...record, tags: change(record.tags) });
  }
  call.commit(draft, { name, subject: ids.join(' ') });
  return DONE;
}

function taggedRecords(state: State, table: TaggedTable): ReadonlyMap<string, Tables[TaggedTable]> {
  return state[table];
}
