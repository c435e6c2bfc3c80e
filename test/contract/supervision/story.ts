/** One story of a supervised cluster, told in order, for either flavor. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deaths } from '../../../controller/supervision/port.ts';
import type { Engine } from '../database/database-hosts.ts';
import { SupervisedCluster } from './supervised-cluster.ts';

export function describeSupervision(title: string, engine: Engine): void {
  describe(`Supervision: ${title}`, () => {
    let cluster: SupervisedCluster;

    beforeAll(async () => {
      cluster = await SupervisedCluster.start(engine);
    });
    afterAll(() => cluster.end());

    const expectNoDeath = () => {
      expect(cluster.verdicts.filter((verdict) => deaths.includes(verdict))).toEqual([]);
    };

    it('commits wait for replicas as soon as that is on record', async () => {
      await cluster.until('Healthy');
      await cluster.protect();
      expect(cluster.record).toMatchObject({ state: 'Protected', requiredAcks: 1 });
      expect(cluster.record.ackers).toHaveLength(2);
      expect(await cluster.acks(2)).toMatchObject({ armed: true, required: 1, connected: 2 });
      expect(await cluster.primary.commit('protected', 5_000)).toBe('acknowledged');
    });

    it('nothing changes while all is well', async () => {
      await cluster.until('Healthy');
      cluster.quiet();
      await sleep(10_000);
      expect(cluster.verdicts).toEqual([]);
    });

    it('an acker leaves, and commits go on', async () => {
      const [first] = cluster.replicas;
      await cluster.take({ do: 'RemoveAcker', server: first!.name, gone: false });
      expect((await cluster.acks(1)).connected).toBe(1);
      expect(await cluster.primary.commit('with one acker', 5_000)).toBe('acknowledged');
      await cluster.take({ do: 'AddAcker', server: first!.name });
      expect((await cluster.acks(2)).connected).toBe(2);
    });

    it('replicas that die are no death of the primary; the wait ends by decision only', async () => {
      await cluster.until('Healthy');
      cluster.quiet();
      await Promise.all(cluster.replicas.map((replica) => replica.crash()));
      const waiting = cluster.primary.commit('released', 30_000);
      await cluster.until('AcksLost');
      expect(await cluster.primary.commit('nobody acknowledges', 2_000)).toBe('unknown');
      await sleep(12_000);
      expectNoDeath();
      await cluster.take({ do: 'Degrade' });
      await cluster.take({ do: 'Release' });
      expect(await waiting).toBe('acknowledged');
      expect(cluster.record).toMatchObject({ state: 'Degraded', requiredAcks: 0 });
      await cluster.until('Healthy');
    });

    it('commits wait again when replicas are back', async () => {
      for (const replica of cluster.replicas) {
        await replica.restart();
        await cluster.lead(replica);
      }
      await cluster.protect();
      expect(await cluster.primary.commit('protected again', 5_000)).toBe('acknowledged');
      expect((await cluster.acks(2)).connected).toBe(2);
      await cluster.until('Healthy');
    });

    it('replicas that stand still are no death of the primary', async () => {
      cluster.quiet();
      await Promise.all(cluster.replicas.map((replica) => replica.suspend()));
      await cluster.until('AcksLost');
      await sleep(12_000);
      expectNoDeath();
      await Promise.all(cluster.replicas.map((replica) => replica.resume()));
      await cluster.until('Healthy');
      expectNoDeath();
    });

    it('a controller that is cut off blames itself', async () => {
      cluster.quiet();
      const controller = '10.77.255.254';
      await cluster.primary.asRoot(
        `systemd-run --quiet --collect bash -c "sleep 0.5; ip route add blackhole ${controller}; sleep 12; ip route del blackhole ${controller}"`,
      );
      await cluster.until('ControllerBlind');
      await sleep(5_000);
      expectNoDeath();
      await cluster.until('Healthy');
      expectNoDeath();
    });

    it('a process that stands still is found within 5 s, and so is its return', async () => {
      await cluster.primary.suspend();
      const took = await cluster.until('FrozenProcess');
      console.log(`${title}: a primary that stands still was found after ${Math.round(took)} ms`);
      expect(took).toBeLessThan(5_000);
      await cluster.primary.resume();
      await cluster.until('Healthy');
    });

    it('a process that crashed is found within 2 s', async () => {
      await cluster.primary.crash();
      const took = await cluster.until('DeadProcess');
      console.log(`${title}: a crash was found ${Math.round(took)} ms after it was over`);
      expect(took).toBeLessThan(2_000);
      expect(cluster.finding?.evidence).toMatch(/process is gone|cannot connect to it/);
    });
  });
}
