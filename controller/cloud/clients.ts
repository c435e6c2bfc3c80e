/** How an AWS client is set up for a target: region, endpoints, credentials; never the SDK's own retries. */
import type { STSClientConfig } from '@aws-sdk/client-sts';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { CloudTarget } from './port.ts';

type Service = keyof CloudTarget['endpoints'];
/** The same for every service's client. */
type Credentials = NonNullable<STSClientConfig['credentials']>;

interface ClientConfig {
  readonly region: string;
  readonly maxAttempts: 1;
  readonly requestHandler: { readonly connectionTimeout: number; readonly requestTimeout: number };
  readonly endpoint?: string;
  readonly credentials?: Credentials;
}

/**
 * The settings for one service. Without an endpoint the SDK reads AWS_ENDPOINT_URL and its kind, and without
 * credentials its default chain: environment, web identity, Pod Identity, instance role.
 */
export function clientConfig(target: CloudTarget, service: Service): ClientConfig {
  const endpoint = target.endpoints[service];
  const credentials = credentialsOf(target);
  return {
    region: target.region,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 20_000 },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function credentialsOf({
  credentials,
  region,
  endpoints,
  installation,
}: CloudTarget): Credentials | undefined {
  if (credentials.type === 'Ambient') return undefined;
  if (credentials.type === 'Keys') {
    return { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey };
  }
  return fromTemporaryCredentials({
    params: {
      RoleArn: credentials.roleArn,
      RoleSessionName: `ridgeline-${installation.slice(0, 40)}`,
      ...(credentials.externalId === undefined ? {} : { ExternalId: credentials.externalId }),
    },
    clientConfig: { region, ...(endpoints.sts === undefined ? {} : { endpoint: endpoints.sts }) },
  });
}
