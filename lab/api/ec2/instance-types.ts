/** The instance types the lab offers, in every zone alike. Sizes are EC2's; the lab's machines share the computer. */
import { CloudError } from '../../world/cloud-error.ts';
import type { XmlObject } from '../xml.ts';
import type { Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';

interface InstanceType {
  readonly id: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly tags: Readonly<Record<string, string>>;
}

const SIZES: Readonly<Record<string, readonly [vcpus: number, share: number]>> = {
  nano: [2, 1 / 16],
  micro: [2, 1 / 8],
  small: [2, 1 / 4],
  medium: [2, 1 / 2],
  large: [2, 1],
  xlarge: [4, 2],
  '2xlarge': [8, 4],
  '4xlarge': [16, 8],
};

/** Memory of the size `large` in GiB, by family. */
const FAMILIES: Readonly<Record<string, { readonly largeGiB: number; readonly sizes: readonly string[] }>> = {
  t3: { largeGiB: 8, sizes: ['nano', 'micro', 'small', 'medium', 'large', 'xlarge', '2xlarge'] },
  t3a: { largeGiB: 8, sizes: ['nano', 'micro', 'small', 'medium', 'large', 'xlarge', '2xlarge'] },
  m5: { largeGiB: 8, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  m6i: { largeGiB: 8, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  m7i: { largeGiB: 8, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  c6i: { largeGiB: 4, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  c7i: { largeGiB: 4, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  r6i: { largeGiB: 16, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
  r7i: { largeGiB: 16, sizes: ['large', 'xlarge', '2xlarge', '4xlarge'] },
};

const TYPES: readonly InstanceType[] = Object.entries(FAMILIES).flatMap(([family, { largeGiB, sizes }]) =>
  sizes.map((size) => {
    const [vcpus, share] = SIZES[size] ?? [2, 1];
    return { id: `${family}.${size}`, vcpus, memoryMiB: largeGiB * share * 1024, tags: {} };
  }),
);

/** @throws CloudError InvalidParameterValue when the lab has no such type */
export function requireType(id: string): string {
  if (!TYPES.some((type) => type.id === id)) {
    throw new CloudError('InvalidParameterValue', `Invalid value '${id}' for InstanceType.`);
  }
  return id;
}

/** An unknown type is an error, as on EC2. */
export function describeInstanceTypes({ params }: Ec2Call): XmlObject {
  const ids = params.list('InstanceType');
  for (const id of ids) {
    if (TYPES.some((type) => type.id === id)) continue;
    throw new CloudError(
      'InvalidInstanceType',
      `The following supplied instance types do not exist: [${id}]`,
    );
  }
  const chosen = TYPES.filter((type) => ids.length === 0 || ids.includes(type.id));
  const found = applyFilters(params, chosen, {
    'instance-type': (type) => [type.id],
    'current-generation': () => ['true'],
    'vcpu-info.default-vcpus': (type) => [String(type.vcpus)],
    'memory-info.size-in-mib': (type) => [String(type.memoryMiB)],
    'processor-info.supported-architecture': () => ['x86_64'],
  });
  const page = paginate(params, found, { min: 5, max: 100 });
  return { instanceTypeSet: { item: page.records.map(typeXml) }, nextToken: page.nextToken };
}

/** Every type in every location; sold-out ones are offered, too. */
export function describeInstanceTypeOfferings({ params, cloud }: Ec2Call): XmlObject {
  const { region } = cloud.world;
  const locationType = params.string('LocationType') ?? 'region';
  if (locationType !== 'region' && locationType !== 'availability-zone') {
    throw new CloudError(
      'InvalidParameterValue',
      `Value (${locationType}) for parameter locationType is invalid.`,
    );
  }
  const locations = locationType === 'region' ? [region.name] : region.subnets.map((subnet) => subnet.zone);
  const offerings = TYPES.flatMap((type) =>
    locations.map((location) => ({ id: `${type.id}/${location}`, type: type.id, location, tags: {} })),
  );
  const found = applyFilters(params, offerings, {
    'instance-type': (offering) => [offering.type],
    location: (offering) => [offering.location],
  });
  const page = paginate(params, found, { min: 5, max: 1000 });
  return {
    instanceTypeOfferingSet: {
      item: page.records.map(({ type, location }) => ({ instanceType: type, locationType, location })),
    },
    nextToken: page.nextToken,
  };
}

function typeXml(type: InstanceType): XmlObject {
  return {
    instanceType: type.id,
    currentGeneration: true,
    freeTierEligible: type.id === 't3.micro',
    supportedUsageClasses: { item: ['on-demand', 'spot'] },
    bareMetal: false,
    hypervisor: 'nitro',
    processorInfo: { supportedArchitectures: { item: ['x86_64'] } },
    vCpuInfo: { defaultVCpus: type.vcpus },
    memoryInfo: { sizeInMiB: type.memoryMiB },
  };
}
