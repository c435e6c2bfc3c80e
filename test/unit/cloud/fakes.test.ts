/** The fake cloud keeps the contract the real one keeps. */

import { describeCloud } from '../../contract/cloud/suite.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeCloud } from '../../fakes/clouds.ts';

describeCloud('fake cloud', async () => {
  const clock = new FakeClock();
  const cloud = new FakeCloud(clock, 'installation');
  return {
    cloud,
    installation: 'installation',
    bucket: 'state',
    zoneId: 'Z1',
    zoneName: 'lab.test',
    subnetId: 'subnet-a',
    imageId: 'ami-0123456789abcdef0',
    imageOwner: 'self',
    pass: () => clock.advance(500),
    firstPut: async (url, body, { conditional }) => (conditional ? cloud.objects.firstPut(url, body) : 403),
    fetch: async (url) => cloud.objects.fetch(url),
    makeStubborn: (id) => cloud.machines.stubborn.add(id),
    howEnded: (id) => cloud.machines.ends.get(id),
    close: async () => undefined,
  };
});
