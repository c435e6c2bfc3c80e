/** EC2: the query protocol in, one handler per action, XML out. */
import { CloudError } from '../../world/cloud-error.ts';
import type { XmlService } from '../front-door.ts';
import type { Answer, Exchange } from '../http-exchange.ts';
import { QueryParams } from '../query-params.ts';
import { writeXml } from '../xml.ts';
import { type Cloud, Ec2Call, type Handler } from './call.ts';
import * as change from './change-instances.ts';
import { describeInstanceStatus, describeInstances } from './describe-instances.ts';
import { describeImages } from './images.ts';
import { describeInstanceTypeOfferings, describeInstanceTypes } from './instance-types.ts';
import * as keys from './key-pairs.ts';
import * as network from './network.ts';
import { runInstances } from './run-instances.ts';
import * as groups from './security-groups.ts';
import * as snapshots from './snapshots.ts';
import { createTags, deleteTags, describeTags } from './tags.ts';
import type { Throttle } from './throttle.ts';
import * as volumes from './volumes.ts';

const VERSION = '2016-11-15';

const HANDLERS: Readonly<Record<string, Handler>> = {
  RunInstances: runInstances,
  DescribeInstances: describeInstances,
  DescribeInstanceStatus: describeInstanceStatus,
  StartInstances: change.startInstances,
  StopInstances: change.stopInstances,
  RebootInstances: change.rebootInstances,
  TerminateInstances: change.terminateInstances,
  ModifyInstanceAttribute: change.modifyInstanceAttribute,
  DescribeInstanceAttribute: change.describeInstanceAttribute,
  ModifyInstanceMetadataOptions: change.modifyInstanceMetadataOptions,
  GetConsoleOutput: change.getConsoleOutput,
  CreateTags: createTags,
  DeleteTags: deleteTags,
  DescribeTags: describeTags,
  DescribeImages: describeImages,
  DescribeInstanceTypes: describeInstanceTypes,
  DescribeInstanceTypeOfferings: describeInstanceTypeOfferings,
  DescribeAvailabilityZones: network.describeAvailabilityZones,
  DescribeVpcs: network.describeVpcs,
  DescribeSubnets: network.describeSubnets,
  AllocateAddress: network.allocateAddress,
  ReleaseAddress: network.releaseAddress,
  DescribeAddresses: network.describeAddresses,
  CreateSecurityGroup: groups.createSecurityGroup,
  DeleteSecurityGroup: groups.deleteSecurityGroup,
  DescribeSecurityGroups: groups.describeSecurityGroups,
  AuthorizeSecurityGroupIngress: groups.authorize('ingress'),
  AuthorizeSecurityGroupEgress: groups.authorize('egress'),
  RevokeSecurityGroupIngress: groups.revoke('ingress'),
  RevokeSecurityGroupEgress: groups.revoke('egress'),
  ImportKeyPair: keys.importKeyPair,
  CreateKeyPair: keys.createKeyPair,
  DescribeKeyPairs: keys.describeKeyPairs,
  DeleteKeyPair: keys.deleteKeyPair,
  CreateVolume: volumes.createVolume,
  DeleteVolume: volumes.deleteVolume,
  AttachVolume: volumes.attachVolume,
  DetachVolume: volumes.detachVolume,
  DescribeVolumes: volumes.describeVolumes,
  CreateSnapshot: snapshots.createSnapshot,
  DeleteSnapshot: snapshots.deleteSnapshot,
  DescribeSnapshots: snapshots.describeSnapshots,
};

/** Unknown actions, and those over their limit, throw a CloudError. */
export class Ec2Service implements XmlService {
  readonly #cloud: Cloud;
  readonly #throttle: Throttle;

  constructor(cloud: Cloud, throttle: Throttle) {
    this.#cloud = cloud;
    this.#throttle = throttle;
  }

  action(_: Exchange, body: string): string {
    return new URLSearchParams(body).get('Action') ?? '';
  }

  async answer({ requestId }: Exchange, body: string, action: string): Promise<Answer> {
    const handler = HANDLERS[action];
    if (!handler) {
      throw new CloudError('InvalidAction', `The action ${action} is not valid for this web service.`);
    }
    this.#throttle.admit(action);
    const call = new Ec2Call(QueryParams.parse(body), this.#cloud);
    const content = await handler(call);
    if (/^(Describe|Get)/.test(action)) call.endDryRun();
    return {
      status: 200,
      xml: `<${action}Response xmlns="http://ec2.amazonaws.com/doc/${VERSION}/">${writeXml({ requestId, ...content })}</${action}Response>`,
    };
  }

  error({ code, message }: CloudError, requestId: string): string {
    return writeXml({
      Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId },
    });
  }
}
