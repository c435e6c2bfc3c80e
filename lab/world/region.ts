/** The lab's region: its account, network, zones, subnets and images, which no API call creates. */

import { formatAddress, parseBlock } from './ipv4.ts';
import type { Image, Region, Subnet } from './model.ts';

/** One subnet per zone; the first eighth of the network and what follows the subnets belong to the lab itself. */
const ZONE_LETTERS = ['a', 'b', 'c'];
const SUBNET_PREFIX_BITS = 3;

export interface RegionOptions {
  /** e.g. `us-east-1` */
  readonly name: string;
  /** CIDR block of the VPC, at most a /25. */
  readonly cidr: string;
  readonly gateway: string;
  readonly nameServer: string;
  readonly images: readonly RegionImage[];
}

/** An image the runtime can boot. */
export interface RegionImage {
  /** `ami-…`, hexadecimal. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly creationDate: string;
}

const ACCOUNT_ID = '000000000000';

/** The same options give the same region, ids included. */
export function labRegion(options: RegionOptions): Region {
  const block = parseBlock(options.cidr);
  if (!block) throw new Error(`${options.cidr} is not a CIDR block`);
  const size = block.size / 2 ** SUBNET_PREFIX_BITS;
  const subnets = ZONE_LETTERS.map((letter, index): Subnet => {
    const first = formatAddress(block.first + (index + 1) * size);
    return {
      id: `subnet-0000000000000000${letter}`,
      zone: options.name + letter,
      cidr: `${first}/${block.prefixLength + SUBNET_PREFIX_BITS}`,
    };
  });
  return {
    name: options.name,
    accountId: ACCOUNT_ID,
    vpcId: 'vpc-00000000000000001',
    vpcCidr: options.cidr,
    gateway: options.gateway,
    nameServer: options.nameServer,
    subnets,
    images: options.images.map((image): Image => ({ ...image, ownerId: ACCOUNT_ID, ownerAlias: 'amazon' })),
  };
}
