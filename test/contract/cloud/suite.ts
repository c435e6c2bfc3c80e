/** What every Cloud does, fake or real: run by the unit tests on the fakes, by this folder's tests on the lab's API. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cloud, DnsRecord, LaunchRequest, Machine } from '../../../controller/cloud/port.ts';

/** What a suite needs to know of the world it runs in. */
export interface CloudWorld {
  readonly cloud: Cloud;
  readonly installation: string;
  readonly bucket: string;
  readonly zoneId: string;
  readonly zoneName: string;
  readonly subnetId: string;
  readonly imageId: string;
  readonly imageOwner: string;
  /** Lets a little time pass. */
  pass(): Promise<void>;
  /** PUTs to a URL of `presignFirstPut`, with or without the header; answers the HTTP status. */
  firstPut(url: string, body: string, options: { readonly conditional: boolean }): Promise<number>;
  /** GETs a URL of `presignGet`: the text, or the HTTP status when that is not 200. */
  fetch(url: string): Promise<string | number>;
  /** Makes a machine one whose operating system never ends by itself. */
  makeStubborn(id: string): void;
  howEnded(id: string): 'orderly' | 'power cut' | undefined;
  close(): Promise<void>;
}

/** An A record `label` in the world's zone. */
function aRecord(world: CloudWorld, label: string, value: string): DnsRecord {
  return { name: `${label}.${world.zoneName}`, type: 'A', ttlSeconds: 5, values: [value] };
}

export function describeCloud(title: string, open: () => Promise<CloudWorld>): void {
  describe(title, () => {
    let world: CloudWorld;
    let serial = 0;

    beforeAll(async () => {
      world = await open();
    });
    afterAll(async () => {
      await world.close();
    });

    const request = (changes: Partial<LaunchRequest> = {}): LaunchRequest => {
      serial += 1;
      return {
        clientToken: `rl1-suite-${serial}`,
        minCount: 1,
        maxCount: 1,
        imageId: world.imageId,
        instanceType: 't3.small',
        subnetId: world.subnetId,
        securityGroupIds: [],
        spot: false,
        metadataHopLimit: 1,
        userData: '#!/bin/bash\ntrue\n',
        tags: { 'ridgeline:installation': world.installation, Name: `suite-${serial}` },
        ...changes,
      };
    };

    const one = async (changes: Partial<LaunchRequest> = {}): Promise<Machine> => {
      const [machine] = await world.cloud.machines.launch(request(changes));
      if (machine === undefined) throw new Error('the launch answered no machine');
      return machine;
    };

    const until = async (id: string, state: Machine['state']): Promise<Machine> => {
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const [machine] = await world.cloud.machines.find([id]);
        if (machine?.state === state) return machine;
        await world.pass();
      }
      throw new Error(`${id} did not become ${state}`);
    };

    describe('machines', () => {
      it('launches as many as asked, numbered, tagged and with their token', async () => {
        const asked = request({ minCount: 3, maxCount: 3 });
        const machines = await world.cloud.machines.launch(asked);

        expect(
          machines.map(({ launchIndex }) => launchIndex).toSorted((left, right) => left - right),
        ).toEqual([0, 1, 2]);
        expect(new Set(machines.map(({ id }) => id)).size).toBe(3);
        for (const machine of machines) {
          expect(machine).toMatchObject({
            clientToken: asked.clientToken,
            tags: asked.tags,
            type: 't3.small',
            imageId: asked.imageId,
            subnetId: asked.subnetId,
          });
        }
      });

      it('answers a replay with the same machines', async () => {
        const asked = request({ maxCount: 2 });
        const first = await world.cloud.machines.launch(asked);
        const second = await world.cloud.machines.launch(asked);

        expect(second.map(({ id }) => id).toSorted()).toEqual(first.map(({ id }) => id).toSorted());
        expect(await world.cloud.machines.findByToken(asked.clientToken)).toHaveLength(2);
      });

      it('refuses a token with other parameters', async () => {
        const asked = request();
        await world.cloud.machines.launch(asked);

        await expect(
          world.cloud.machines.launch({ ...asked, instanceType: 't3.large' }),
        ).rejects.toMatchObject({ code: 'cloud.token-mismatch' });
      });

      it('refuses the token of a terminated machine', async () => {
        const asked = request();
        const [machine] = await world.cloud.machines.launch(asked);
        await world.cloud.machines.terminate(machine?.id ?? '');
        await until(machine?.id ?? '', 'terminated');

        await expect(world.cloud.machines.launch(asked)).rejects.toMatchObject({
          code: 'cloud.token-terminated',
        });
      });

      it('refuses an image that does not exist', async () => {
        await expect(
          world.cloud.machines.launch(request({ imageId: 'ami-00000000000000bad' })),
        ).rejects.toMatchObject({ code: 'cloud.bad-request' });
      });

      it('tells by a dry run whether a launch would pass, and launches nothing', async () => {
        const asked = request();

        expect(await world.cloud.machines.preflight(asked)).toBeUndefined();
        expect(await world.cloud.machines.findByToken(asked.clientToken)).toEqual([]);
        expect(
          await world.cloud.machines.preflight(request({ imageId: 'ami-00000000000000bad' })),
        ).toMatchObject({ code: 'cloud.bad-request' });
      });

      it('becomes running, stops, starts and stays visible when terminated', async () => {
        const { id, launchTime } = await one();
        const running = await until(id, 'running');
        expect(running.privateIp).toMatch(/^\d+\.\d+\.\d+\.\d+$/);

        await world.cloud.machines.stop(id, { skipOsShutdown: false });
        await until(id, 'stopped');
        await world.cloud.machines.start(id);
        expect((await until(id, 'running')).launchTime).toBeGreaterThanOrEqual(launchTime);

        await world.cloud.machines.terminate(id);
        const gone = await until(id, 'terminated');
        expect(gone.stateReason).toBe('Client.UserInitiatedShutdown');
        await expect(world.cloud.machines.start(id)).rejects.toMatchObject({ code: 'cloud.wrong-state' });
      });

      it('tells a machine that it ends, unless its power shall be cut', async () => {
        const { machines } = world.cloud;
        const [told, cut, gone] = [await one(), await one(), await one()];
        for (const { id } of [told, cut, gone]) await until(id, 'running');

        await machines.stop(told.id, { skipOsShutdown: false });
        await machines.stop(cut.id, { skipOsShutdown: true });
        await machines.terminate(gone.id, { skipOsShutdown: true });
        for (const { id } of [told, cut]) await until(id, 'stopped');
        await until(gone.id, 'terminated');
        expect([told, cut, gone].map(({ id }) => world.howEnded(id))).toEqual([
          'orderly',
          'power cut',
          'power cut',
        ]);
      });

      it('cuts the power of a machine that is being stopped and does not end', async () => {
        const { id } = await one();
        await until(id, 'running');
        world.makeStubborn(id);

        await world.cloud.machines.stop(id, { skipOsShutdown: false });
        for (let times = 0; times < 5; times += 1) await world.pass();
        expect(await world.cloud.machines.find([id])).toMatchObject([{ state: 'stopping' }]);
        await world.cloud.machines.stop(id, { skipOsShutdown: true });
        await until(id, 'stopped');
        expect(world.howEnded(id)).toBe('power cut');
      });

      it('finds those that exist and fails to end one that does not', async () => {
        const { id } = await one();
        const found = await world.cloud.machines.find([id, 'i-00000000000000bad']);

        expect(found.map((machine) => machine.id)).toEqual([id]);
        await expect(world.cloud.machines.terminate('i-00000000000000bad')).rejects.toMatchObject({
          code: 'cloud.not-found',
        });
      });

      it('ends the good ones when one of several is unknown', async () => {
        const { id } = await one();
        const outcomes = await Promise.allSettled([
          world.cloud.machines.terminate(id),
          world.cloud.machines.terminate('i-00000000000000bad'),
        ]);

        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
        await until(id, 'terminated');
      });

      it('sweeps the machines of this installation only, with tags set later', async () => {
        const mine = await one();
        const foreign = await one({ tags: { 'ridgeline:installation': 'somebody-else' } });
        await world.cloud.machines.tag(mine.id, { Name: 'renamed' });
        const swept = await world.cloud.machines.sweep();

        expect(swept.find(({ id }) => id === mine.id)?.tags).toMatchObject({ Name: 'renamed' });
        expect(swept.find(({ id }) => id === foreign.id)).toBeUndefined();
      });

      it('looks up images and subnets', async () => {
        const image = await world.cloud.machines.image(world.imageId);

        expect(image).toMatchObject({ id: world.imageId, available: true });
        expect(await world.cloud.machines.image('ami-00000000000000bad')).toBeUndefined();
        expect(await world.cloud.machines.newestImage('ridgeline-*', world.imageOwner)).toMatchObject({
          available: true,
        });
        expect(await world.cloud.machines.newestImage('no-such-*', world.imageOwner)).toBeUndefined();
        const subnets = await world.cloud.machines.subnets([world.subnetId, 'subnet-00000000000000bad']);
        expect(subnets.map(({ id }) => id)).toEqual([world.subnetId]);
      });
    });

    describe('objects', () => {
      it('stores, reads and lists in order', async () => {
        const { objects } = world.cloud;
        await objects.put(world.bucket, 'suite/b c', 'text');
        await objects.put(world.bucket, 'suite/a', new Uint8Array([0, 255]));
        await objects.put(world.bucket, 'other', '');

        expect(await objects.list(world.bucket, 'suite/')).toEqual(['suite/a', 'suite/b c']);
        expect([...((await objects.get(world.bucket, 'suite/a')) ?? [])]).toEqual([0, 255]);
        expect(await objects.get(world.bucket, 'suite/none')).toBeUndefined();
      });

      it('takes the first put to a presigned URL and no second one', async () => {
        const url = await world.cloud.objects.presignFirstPut(world.bucket, 'attest/b/0', 60_000);

        expect(await world.firstPut(url, 'unconditional', { conditional: false })).toBe(403);
        expect(await world.firstPut(url, 'first', { conditional: true })).toBe(200);
        expect(await world.firstPut(url, 'second', { conditional: true })).toBe(412);
        const body = await world.cloud.objects.get(world.bucket, 'attest/b/0');
        expect(Buffer.from(body ?? []).toString()).toBe('first');
      });

      it('hands out what a presigned URL names, to whoever has it', async () => {
        const { objects } = world.cloud;
        await objects.put(world.bucket, 'dumps/shop 1.gz', 'dump');

        expect(await world.fetch(await objects.presignGet(world.bucket, 'dumps/shop 1.gz', 60_000))).toBe(
          'dump',
        );
        expect(await world.fetch(await objects.presignGet(world.bucket, 'dumps/none', 60_000))).toBe(404);
      });

      it('tells a missing bucket from a missing key', async () => {
        await expect(world.cloud.objects.check(world.bucket)).resolves.toBeUndefined();
        await expect(world.cloud.objects.check('no-such-bucket')).rejects.toMatchObject({
          code: 'objects.not-found',
        });
        await expect(world.cloud.objects.get('no-such-bucket', 'key')).rejects.toMatchObject({
          code: 'objects.not-found',
        });
      });
    });

    describe('dns', () => {
      it('creates, replaces and gets in sync', async () => {
        const { dns } = world.cloud;
        await dns.upsert(world.zoneId, [aRecord(world, 'www', '10.77.0.9')]);
        const change = await dns.upsert(world.zoneId, [aRecord(world, 'www', '10.77.0.10')]);
        for (let attempt = 0; attempt < 100 && !(await dns.inSync(change)); attempt += 1) await world.pass();

        expect(await dns.inSync(change)).toBe(true);
        expect(await dns.records(world.zoneId)).toContainEqual(aRecord(world, 'www', '10.77.0.10'));
      });

      it('removes exactly what it is given, gone or not', async () => {
        const { dns } = world.cloud;
        await dns.upsert(world.zoneId, [aRecord(world, 'a', '10.77.0.1'), aRecord(world, 'b', '10.77.0.2')]);
        await dns.remove(world.zoneId, [
          aRecord(world, 'a', '10.77.0.1'),
          aRecord(world, 'b', '10.77.0.99'),
          aRecord(world, 'never', '10.77.0.3'),
        ]);
        const names = (await dns.records(world.zoneId)).map(({ name }) => name);

        expect(names).not.toContain(`a.${world.zoneName}`);
        expect(names).toContain(`b.${world.zoneName}`);
      });

      it('knows no foreign zone and no foreign change', async () => {
        await expect(world.cloud.dns.records('ZNONE')).rejects.toMatchObject({ code: 'cloud.not-found' });
        await expect(world.cloud.dns.inSync('CNONE')).rejects.toMatchObject({ code: 'cloud.not-found' });
      });
    });

    it('says who the credentials belong to', async () => {
      const identity = await world.cloud.identity();

      expect(identity.accountId).toMatch(/^\d{12}$/);
      expect(identity.arn).toContain(identity.accountId);
    });
  });
}
