/** Tags of one record: their rules, how they are sent and how they are shown. */
import { CloudError } from '../../world/cloud-error.ts';
import type { Tags } from '../../world/model.ts';
import type { QueryParams } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';

const MAX_TAGS = 50;

/** The tags of `Tag.n.Key` and `Tag.n.Value`. @throws CloudError as EC2's rules say */
export function readTags(params: QueryParams): Tags {
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

/** As the `tagSet` of any answer. */
export function tagSet(tags: Tags): XmlObject {
  return { item: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

/** @throws CloudError when there are more than a resource may have */
export function limited(tags: Tags): Tags {
  if (Object.keys(tags).length > MAX_TAGS) {
    throw new CloudError('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
  }
  return tags;
}
