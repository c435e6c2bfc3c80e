/** Images: DescribeImages over the fixed list of the region. */
import { CloudError } from '../../world/cloud-error.ts';
import { ROOT_DEVICE } from '../../world/launches.ts';
import type { Image } from '../../world/model.ts';
import type { XmlObject } from '../xml.ts';
import type { Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';

/** Unknown ids are refused, as by EC2. */
export function describeImages({ params, cloud }: Ec2Call): XmlObject {
  const { region } = cloud.world;
  const ids = params.list('ImageId');
  const unknown = ids.find((id) => !region.images.some((image) => image.id === id));
  if (unknown) throw new CloudError('InvalidAMIID.NotFound', `The image id '[${unknown}]' does not exist`);
  const owners = params.list('Owner');
  const owned = (image: Image) =>
    owners.length === 0 || owners.some((owner) => ['self', image.ownerId, image.ownerAlias].includes(owner));
  const chosen = region.images.filter(
    (image) => owned(image) && (ids.length === 0 || ids.includes(image.id)),
  );
  const found = applyFilters(
    params,
    chosen.map((image) => ({ ...image, tags: {} })),
    {
      'image-id': (image) => [image.id],
      name: (image) => [image.name],
      state: () => ['available'],
      architecture: () => ['x86_64'],
      'owner-id': (image) => [image.ownerId],
      'owner-alias': (image) => [image.ownerAlias],
      'root-device-type': () => ['ebs'],
      'virtualization-type': () => ['hvm'],
      'is-public': () => ['true'],
    },
  );
  const page = paginate(params, found, { min: 1, max: 1000 });
  return { imagesSet: { item: page.records.map(imageXml) }, nextToken: page.nextToken };
}

function imageXml(image: Image): XmlObject {
  return {
    imageId: image.id,
    imageLocation: `${image.ownerAlias}/${image.name}`,
    imageState: 'available',
    imageOwnerId: image.ownerId,
    imageOwnerAlias: image.ownerAlias,
    creationDate: image.creationDate,
    isPublic: true,
    architecture: 'x86_64',
    imageType: 'machine',
    name: image.name,
    rootDeviceType: 'ebs',
    rootDeviceName: ROOT_DEVICE,
    virtualizationType: 'hvm',
    hypervisor: 'xen',
    tagSet: {},
  };
}
