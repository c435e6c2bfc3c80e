/** Which hosted zone of the lab's Route 53 has a name. */
import {
  ListHostedZonesByNameCommand,
  Route53Client,
  type Route53ClientConfig,
} from '@aws-sdk/client-route-53';

/** Its id without the path that Route 53 puts before it; '' when there is none. */
export async function hostedZoneID(access: Route53ClientConfig, name: string): Promise<string> {
  const client = new Route53Client(access);
  try {
    const { HostedZones = [] } = await client.send(new ListHostedZonesByNameCommand({ DNSName: name }));
    return (HostedZones[0]?.Id ?? '').replace('/hostedzone/', '');
  } finally {
    client.destroy();
  }
}
