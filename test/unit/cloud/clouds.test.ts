/** Clouds from targets; nothing here leaves the process. */
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { AwsClouds } from '../../../controller/cloud/clouds.ts';
import type { CloudTarget } from '../../../controller/cloud/port.ts';
import { FakeClock } from '../../fakes/clock.ts';

const target: CloudTarget = {
  region: 'eu-west-1',
  endpoints: {},
  credentials: { type: 'Keys', accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
  installation: 'us',
};

function clouds(): AwsClouds {
  return new AwsClouds({ clock: new FakeClock(), registry: new Registry(), mayAct: () => true });
}

describe('AwsClouds', () => {
  it('shares one cloud among equal targets and follows changed credentials', () => {
    const all = clouds();
    const first = all.of(target);
    expect(all.of({ ...target })).toBe(first);
    const rotated = { type: 'Keys', accessKeyId: 'AKIANEXT', secretAccessKey: 'secret' } as const;
    expect(all.of({ ...target, credentials: rotated })).not.toBe(first);
  });

  it('signs the condition into a first-put URL, so that it cannot be left out', async () => {
    const url = new URL(await clouds().of(target).objects.presignFirstPut('state', 'attest/x/0', 3_600_000));
    expect(url.searchParams.get('X-Amz-SignedHeaders')?.split(';')).toContain('if-none-match');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('3600');
    // A checksum of the empty body would refuse every other body.
    expect([...url.searchParams.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
  });
});
