/** Machines and launch requests in EC2's own shapes, there and back. */
import { describe, expect, it } from 'vitest';
import { toMachine, toRunInstances } from '../../../controller/cloud/instances.ts';
import type { LaunchRequest } from '../../../controller/cloud/port.ts';

const request: LaunchRequest = {
  clientToken: 'rl1-x',
  minCount: 1,
  maxCount: 2,
  imageId: 'ami-1',
  instanceType: 't3.small',
  subnetId: 'subnet-1',
  securityGroupIds: ['sg-1'],
  spot: false,
  metadataHopLimit: 1,
  userData: '#!/bin/bash\n# ü\n',
  tags: { Name: 'web' },
};

function tagged(spot: boolean): readonly (string | undefined)[] {
  const { TagSpecifications = [] } = toRunInstances({ ...request, spot }, undefined);
  return TagSpecifications.map(({ ResourceType }) => ResourceType);
}

describe('toRunInstances', () => {
  it('insists on IMDSv2 and encrypted volumes, whatever was asked', () => {
    const input = toRunInstances({ ...request, dataVolume: { sizeGiB: 5, type: 'gp3' } }, '/dev/xvda');
    expect(input.MetadataOptions).toEqual({
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: 1,
    });
    expect(input.BlockDeviceMappings).toEqual([
      { DeviceName: '/dev/xvda', Ebs: { Encrypted: true, DeleteOnTermination: true } },
      {
        DeviceName: '/dev/sdf',
        Ebs: { Encrypted: true, DeleteOnTermination: true, VolumeSize: 5, VolumeType: 'gp3' },
      },
    ]);
  });

  it('tags the machine and all that comes with it', () => {
    expect(tagged(false)).toEqual(['instance', 'volume', 'network-interface']);
    expect(tagged(true)).toContain('spot-instances-request');
  });

  it('encodes user data and tells profiles by name from ARNs', () => {
    const input = toRunInstances({ ...request, instanceProfile: 'web' }, undefined);
    expect(Buffer.from(input.UserData ?? '', 'base64').toString('utf8')).toBe(request.userData);
    expect(input.IamInstanceProfile).toEqual({ Name: 'web' });
    const arn = 'arn:aws:iam::1:instance-profile/web';
    expect(toRunInstances({ ...request, instanceProfile: arn }, undefined).IamInstanceProfile).toEqual({
      Arn: arn,
    });
  });

  it('gives the same call for the same request: a replay must not differ', () => {
    expect(toRunInstances(request, '/dev/xvda')).toEqual(toRunInstances({ ...request }, '/dev/xvda'));
  });
});

describe('toMachine', () => {
  it('leaves out what EC2 answers empty', () => {
    const machine = toMachine({
      InstanceId: 'i-1',
      State: { Name: 'pending' },
      PublicDnsName: '',
      LaunchTime: new Date(5),
    });
    expect(machine).toEqual({
      id: 'i-1',
      state: 'pending',
      type: '',
      imageId: '',
      zone: '',
      launchTime: 5,
      launchIndex: 0,
      tags: {},
    });
  });

  it('skips rows it cannot understand', () => {
    expect(toMachine({ InstanceId: 'i-1' })).toBeUndefined();
    expect(toMachine({ State: { Name: 'running' } })).toBeUndefined();
  });
});
