/** The CloudAccount of the lab: its subnets, a security group for sites, and the bucket for the controller's state. */
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { network, region, stateBucket } from '../config.ts';
import type { Kubectl } from '../kube/kubectl.ts';
import { labAccess } from './controller.ts';

const groupName = 'ridgeline-site';
/** Open to the lab's own network: SSH for the controller, HTTP for visitors. Servers may talk among themselves. */
const openPorts = [22, 80];

/** Creates what is missing in the lab's EC2, or another that `env` names, and applies CloudAccount `default`. */
export async function createAccount(kubectl: Kubectl, env?: NodeJS.ProcessEnv): Promise<void> {
  const ec2 = new EC2Client(labAccess(env));
  try {
    const { Subnets: subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
    const vpcId = subnets[0]!.VpcId!;
    const subnetIds = subnets.map((subnet) => subnet.SubnetId!);
    await kubectl.apply(accountObject(subnetIds, await ensureSecurityGroup(ec2, vpcId)));
  } finally {
    ec2.destroy();
  }
}

async function ensureSecurityGroup(ec2: EC2Client, vpcId: string): Promise<string> {
  const filter = { Filters: [{ Name: 'group-name', Values: [groupName] }] };
  const { SecurityGroups: found = [] } = await ec2.send(new DescribeSecurityGroupsCommand(filter));
  const known = found[0]?.GroupId;
  if (known !== undefined) return known;
  const request = {
    GroupName: groupName,
    Description: 'SSH and HTTP from the network of the lab',
    VpcId: vpcId,
  };
  const groupId = (await ec2.send(new CreateSecurityGroupCommand(request))).GroupId!;
  const permissions = openPorts.map((port) => ({
    IpProtocol: 'tcp',
    FromPort: port,
    ToPort: port,
    IpRanges: [{ CidrIp: network.cidr }],
  }));
  const among = { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: groupId }] };
  const ingress = { GroupId: groupId, IpPermissions: [...permissions, among] };
  await ec2.send(new AuthorizeSecurityGroupIngressCommand(ingress));
  return groupId;
}

function accountObject(subnetIDs: readonly string[], securityGroupID: string): object {
  return {
    apiVersion: 'ridgeline.dev/v1alpha1',
    kind: 'CloudAccount',
    metadata: { name: 'default' },
    spec: {
      region,
      allowedNamespaces: { from: 'All' },
      network: { subnetIDs, securityGroupIDs: [securityGroupID] },
      maxServers: 100,
      stateStore: { bucket: stateBucket },
    },
  };
}
