/** The price of a page of a thousand instances, without a client. */
import type { Exchange } from '../../../../lab/api/http-exchange.ts';
import { Ec2Service } from '../../../../lab/api/ec2/service.ts';
import { InstanceXml } from '../../../../lab/api/ec2/instance-xml.ts';
import { Throttle } from '../../../../lab/api/ec2/throttle.ts';
import { FakeRuntime } from '../../../../lab/world/fake-runtime.ts';
import { Faults } from '../../../../lab/world/faults.ts';
import { launchInstances } from '../../../../lab/world/launches.ts';
import { Machines } from '../../../../lab/world/machines.ts';
import { StaleReads } from '../../../../lab/world/stale-reads.ts';
import { expect, test } from 'vitest';
import { openWorld, plainOrder } from '../world/world-fixture.ts';

test('DescribeInstances of 1,000 instances takes less than 20 ms', async () => {
  const world = openWorld();
  const draft = world.draft();
  for (let n = 0; n < 40; n += 1) launchInstances(draft, plainOrder(), 25);
  world.commit(draft, { name: 'instance.launched', subject: 'all' });
  const runtime = new FakeRuntime({ startMs: 0, stopMs: 0 });
  const faults = new Faults(world);
  const cloud = {
    world,
    runtime,
    faults,
    machines: new Machines(world, runtime, () => undefined),
    reads: new StaleReads(world, faults),
    instanceXml: new InstanceXml(world),
  };
  const service = new Ec2Service(cloud, new Throttle(faults, world.now));
  const exchange = { requestId: 'r' } as Exchange;
  const body = 'Action=DescribeInstances&MaxResults=1000&Filter.1.Name=image-id&Filter.1.Value.1=ami-*';
  const times: number[] = [];
  for (let n = 0; n < 10; n += 1) {
    const start = performance.now();
    const { xml } = await service.answer(exchange, body, 'DescribeInstances');
    times.push(performance.now() - start);
    expect(xml?.match(/<instanceId>/g)).toHaveLength(1000);
  }
  const [first = 0] = times;
  console.log(`first ${first.toFixed(1)} ms, best ${Math.min(...times).toFixed(1)} ms`);
  // The best of ten: the others tell what else this computer was doing.
  expect(Math.min(...times)).toBeLessThan(20);
});
