/** Tags: their rules, how they are sent and shown, and CreateTags, DeleteTags and DescribeTags. */
import { CloudError } from '../../world/cloud-error.ts';
import type { TableName, Tables, Tags } from '../../world/model.ts';
import type { State } from '../../world/state.ts';
import type { QueryParams } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';
import { DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';

const MAX_TAGS = 50;

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

/** The tags of `Tag.n.Key` and `Tag.n.Value`. @throws CloudError as EC2's rules say */
function readTags(params: QueryParams): Tags {
  const pairs = params.structs('Tag').map((tag) => [tag.required('Key'), tag.string('Value') ?? ''] as const);
  for (const [key, value] of pairs) {
    if (key.startsWith('aws:')) {
      throw new CloudError(
        'InvalidParameterValue',
        `Value ( ${key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use`,
      );
    }
    if (key.length > 127 || value.length > 255) {
      throw new CloudError(
        'InvalidParameterValue',
        `Tag ${key} is too long: a key has at most 127 characters, a value 255.`,
      );
    }
  }
  const tags = Object.fromEntries(pairs);
  if (Object.keys(tags).length !== pairs.length) {
    throw new CloudError('InvalidParameterValue', 'Duplicate tag keys are not allowed.');
  }
  return limited(tags);
}

/** The tags a request wants on what it creates (`TagSpecification.n`). */
export function readTagSpecification(params: QueryParams, type: string): Tags {
  const wanted = params.structs('TagSpecification').filter((spec) => spec.required('ResourceType') === type);
  return limited(Object.assign({}, ...wanted.map(readTags)) as Tags);
}

export function tagSet(tags: Tags): XmlObject {
  return { item: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

export function createTags(call: Ec2Call): XmlObject {
  const added = readTags(call.params);
  if (Object.keys(added).length === 0)
    throw new CloudError('MissingParameter', 'The request must contain the parameter Tag');
  return retag(call, 'tags.created', (tags) => limited({ ...tags, ...added }));
}

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

function limited(tags: Tags): Tags {
  if (Object.keys(tags).length > MAX_TAGS) {
    throw new CloudError('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
  }
  return tags;
}
