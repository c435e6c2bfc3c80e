/** What people do to objects and machines: delete, edit and put back, ask for changes of primary. */
import { annotations } from '../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { isFinished, promotionKind } from '../../../controller/api/promotion.ts';
import { secrets } from '../../../controller/api/resource.ts';
import { type Server, serverKind } from '../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../controller/api/server-template.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { namespace, words } from '../../builders/site.ts';
import type { Random } from '../random.ts';
import type { Happening } from './happenings.ts';
import { clusterKey, type House, templateKey } from './house.ts';
import { isReplica, members, named, pickServer } from './victims.ts';

const regretTimes: readonly (Millis | undefined)[] = [undefined, 2_000, 20_000, 90_000];

/** Changes the cluster's spec, and puts it back now or never: then at the end. */
function edit(weight: number, what: string, patchFor: (random: Random) => object): Happening {
  return {
    weight,
    happen: (house, random) => {
      const { cluster } = house;
      if (cluster === undefined) return undefined;
      const spec = patchFor(random);
      const before = valuesBefore(cluster.spec, spec);
      house.edit({ spec });
      const back = random.pick(regretTimes);
      const putBack = () => house.edit({ spec: before });
      if (back === undefined) house.regrets.push(putBack);
      else house.later(back, putBack);
      return `${what} ${JSON.stringify(spec)}${back === undefined ? '' : `, back after ${back / 1_000} s`}`;
    },
  };
}

/** The patch that undoes `patch`. */
function valuesBefore(spec: object, patch: object): object {
  const before = new Map(Object.entries(spec));
  return Object.fromEntries(
    Object.entries(patch).map(([name, value]: [string, unknown]) => {
      const old: unknown = before.get(name);
      const isNested = isRecord(value) && isRecord(old);
      return [name, isNested ? valuesBefore(old, value) : (old ?? null)];
    }),
  );
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deletion(
  weight: number,
  whom: string,
  wanted: (house: House, server: Server) => boolean,
): Happening {
  return {
    weight,
    happen: (house, random) => {
      const there = members(house).filter(
        (server) => server.metadata.deletionTimestamp === undefined && wanted(house, server),
      );
      if (there.length === 0) return undefined;
      const server = random.pick(there);
      house.pardons.servers.add(server.metadata.name);
      void house.site.kube.delete(serverKind, server).catch(() => undefined);
      return `kubectl delete rlsrv ${named(house, server.status?.privateIP ?? '')}, ${whom}`;
    },
  };
}

function change(weight: number, what: string, spec: object): Happening {
  return {
    weight,
    happen: (house, random) => {
      const { site, cluster } = house;
      if (cluster === undefined) return undefined;
      const name = `wish-${random.below(10_000)}`;
      if (house.promotions.some(({ metadata }) => metadata.name === name)) return undefined;
      site.kube.seed(promotionKind, {
        ...words(promotionKind),
        metadata: { namespace, name },
        spec: { clusterRef: { name: clusterKey.name }, ...spec } as never,
      });
      return `${what} is asked for: ${name}`;
    },
  };
}

const isPrimary = ({ cluster }: House, { metadata }: Server) =>
  cluster?.status?.primary?.server === metadata.name;

export const acts = {
  'deletion of a replica': deletion(5, 'a replica', isReplica),
  'deletion of the primary': deletion(3, 'the primary', isPrimary),
  'deletion of any server': deletion(2, 'any', () => true),
  'deletion of all servers': {
    weight: 0.5,
    happen: (house) => {
      const all = members(house).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      for (const server of all) {
        house.pardons.servers.add(server.metadata.name);
        void house.site.kube.delete(serverKind, server).catch(() => undefined);
      }
      return all.length === 0 ? undefined : 'kubectl delete rlsrv --all';
    },
  },
  'deletion of a Promotion': {
    weight: 2,
    happen: (house) => {
      const { promotions, site } = house;
      const one = promotions.find((promotion) => !isFinished(promotion)) ?? promotions.at(-1);
      if (one === undefined) return undefined;
      void site.kube.delete(promotionKind, one).catch(() => undefined);
      return `kubectl delete rlp ${one.metadata.name}`;
    },
  },
  'deletion of the template': {
    weight: 1,
    happen: (house) => {
      const { site } = house;
      const template = site.cache.get(serverTemplateKind, templateKey);
      if (template === undefined) return undefined;
      void site.kube.delete(serverTemplateKind, template).catch(() => undefined);
      const { spec } = template;
      const apply = () => {
        if (site.cache.get(serverTemplateKind, templateKey) !== undefined) return;
        site.kube.seed(serverTemplateKind, { ...words(serverTemplateKind), metadata: templateKey, spec });
      };
      house.regrets.push(apply);
      return 'kubectl delete rlt app';
    },
  },
  'deletion of the Secret': {
    weight: 1,
    happen: ({ site }) => {
      const secret = site.cache.get(secrets, { namespace, name: 'db-mysql' });
      if (secret === undefined) return undefined;
      void site.kube.delete(secrets, secret).catch(() => undefined);
      return 'kubectl delete secret db-mysql';
    },
  },
  'edited passwords': {
    weight: 3,
    happen: ({ site }, random) => {
      const key = { namespace, name: 'db-mysql' };
      if (site.cache.get(secrets, key)?.metadata.deletionTimestamp !== undefined) return undefined;
      if (site.cache.get(secrets, key) === undefined) return undefined;
      const word = `word${random.below(1_000)}`;
      const base64 = (text: string) => Buffer.from(text).toString('base64');
      site.kube.edit(secrets, key, { data: { admin: base64(word), replication: base64(`${word}-r`) } });
      return `the passwords in secret db-mysql are changed to ${word}`;
    },
  },
  'deletion of the cluster, which is protected': {
    weight: 0.5,
    happen: ({ site, cluster, pardons }) => {
      if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return undefined;
      void site.kube.delete(mySQLClusterKind, cluster).catch(() => undefined);
      pardons.isCondemned = true;
      return 'kubectl delete rlm db';
    },
  },
  scaling: edit(5, 'scale', (random) => ({ instances: random.pick([2, 3, 4]) })),
  'other durability': edit(3, 'edit', (random) => ({
    durability: random.pick(['Strict', 'Balanced', 'Async']),
  })),
  'failover settings': edit(2, 'edit', (random) => ({
    failover: random.pick([
      { mode: 'Manual' },
      { degradeAfterSeconds: 1 },
      { stallSeconds: 5 },
      { minIntervalSeconds: 0 },
      { keepFailedSeconds: 0 },
      { whenUnfenceable: 'Proceed' },
    ]),
  })),
  'failed servers are not kept': edit(1, 'edit', () => ({ failover: { keepFailedSeconds: 0 } })),
  'acceptance of losses': edit(1, 'edit', () => ({ failover: { dataLoss: 'Accept' } })),
  'server settings': edit(2, 'edit', (random) => ({
    settings: [{ name: 'max_connections', value: String(100 + random.below(100)) }],
  })),
  suspension: edit(2, 'edit', () => ({ suspend: true })),
  pause: {
    weight: 1,
    happen: (house, random) => {
      const pausing = (value: string | null) =>
        house.edit({ metadata: { annotations: { [annotations.paused]: value } } });
      pausing('true');
      const back = random.pick([2_000, 20_000, 90_000]);
      house.later(back, () => pausing(null));
      return `paused for ${back / 1_000} s`;
    },
  },
  'an older manifest': {
    weight: 1,
    happen: (house) => {
      house.applyManifest();
      return 'kubectl apply of the manifest as it was in the beginning';
    },
  },
  'planned promotion': change(6, 'a planned change', {}),
  'forced promotion': change(1, 'a forced change', { mode: 'Forced' }),
  'forced promotion, whatever is lost': change(1, 'a forced change with loss', {
    mode: 'Forced',
    dataLoss: 'Accept',
  }),
  'end of all machines': {
    weight: 0.3,
    happen: ({ machinery, pardons, site }) => {
      const all = machinery.machines.filter(({ state }) => state === 'running');
      for (const { id } of all) {
        pardons.machines.add(id);
        site.cloud.machines.force(id, 'terminated');
      }
      return all.length === 0 ? undefined : 'EC2 loses all machines';
    },
  },
  'termination in EC2': {
    weight: 2,
    happen: (house, random) => {
      const address = pickServer(house, random);
      const machine = house.machinery.machineAt(address);
      if (address === undefined || machine === undefined) return undefined;
      house.pardons.machines.add(machine.id);
      void house.site.cloud.machines.terminate(machine.id).catch(() => undefined);
      return `a person terminates ${named(house, address)} in EC2`;
    },
  },
} as const satisfies Readonly<Record<string, Happening>>;
