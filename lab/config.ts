/** The lab's fixed addresses, image ids and paths: what its parts and its users must agree on. */
import os from 'node:os';
import path from 'node:path';
import type { Suite } from './ami/recipe.ts';
import type { Region } from './world/model.ts';
import { labRegion } from './world/region.ts';

/** The one network of the lab. It exists on this machine only; see launcher/guard-route.ts. */
export const network = {
  cidr: '10.77.0.0/16',
  prefixLength: 16,
  /** The API, and every machine's default gateway. */
  gateway: '10.77.0.1',
  nameServer: '10.77.0.2',
  metadata: '169.254.169.254',
  /** This machine, as the hosts see it. */
  computer: '10.77.255.254',
  apiPort: 4566,
} as const;

export const endpoint = `http://${network.gateway}:${network.apiPort}`;

export const region = 'us-east-1';

/** Image ids never change, so manifests can name them; what is behind them is the newest recipe. */
export const images: Readonly<
  Record<Suite, { readonly id: string; readonly name: string; readonly creationDate: string }>
> = {
  trixie: {
    id: 'ami-0d13000000000001a',
    name: 'ridgeline-debian-13-trixie',
    creationDate: '2026-11-01T00:00:00.000Z',
  },
  bookworm: {
    id: 'ami-0d12000000000001a',
    name: 'ridgeline-debian-12-bookworm',
    creationDate: '2026-10-01T00:00:00.000Z',
  },
  sid: {
    id: 'ami-0d99000000000001a',
    name: 'ridgeline-debian-sid',
    creationDate: '2026-09-01T00:00:00.000Z',
  },
};

/** The part of the lab's account nobody creates, with the images that are built. */
export function cloudRegion(builtImages: readonly string[]): Region {
  return labRegion({
    name: region,
    cidr: network.cidr,
    gateway: network.gateway,
    nameServer: network.nameServer,
    images: Object.values(images).filter(({ id }) => builtImages.includes(id)),
  });
}

/** The bucket every new lab has, for the controller's state. */
export const stateBucket = 'ridgeline-state';

/** The zone every new lab has. */
export const dnsZone = 'ridgeline.test';

const checkout = path.resolve(import.meta.dirname, '..');

/** Files of the lab. All but the cache are deleted by `down`, except logs. */
export const paths = {
  lab: path.join(checkout, '.lab'),
  /** Machines and volumes. */
  sandbox: path.join(checkout, '.lab', 'sandbox'),
  /** The API's journal and the buckets. */
  world: path.join(checkout, '.lab', 'world'),
  settings: path.join(checkout, '.lab', 'settings.json'),
  ready: path.join(checkout, '.lab', 'ready'),
  environment: path.join(checkout, '.lab', 'aws.env'),
  cache: path.join(os.homedir(), '.cache', 'ridgeline'),
} as const;
