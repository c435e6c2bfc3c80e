/** Who may speak to the cloud, and how each service refuses the others. */
import { get } from 'node:http';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CREDENTIALS, startTestCloud, type TestCloud } from './cloud-fixture.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.close());

const named = (name: string) => expect.objectContaining({ name }) as Error;

describe('signatures', () => {
  const strange = { endpoint: '', region: 'us-east-1', maxAttempts: 1 };

  test('who am I', async () => {
    expect(await cloud.sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: '000000000000' });
  });

  test.each([
    ['a wrong secret', { ...CREDENTIALS, secretAccessKey: 'wrong' }, 'AuthFailure', 'SignatureDoesNotMatch'],
    ['an unknown key', { ...CREDENTIALS, accessKeyId: 'AKIAUNKNOWN' }, 'AuthFailure', 'InvalidClientTokenId'],
  ])('%s is refused', async (_, credentials, ec2Code, stsCode) => {
    const settings = { ...strange, endpoint: cloud.endpoint, credentials };
    await expect(new EC2Client(settings).send(new DescribeInstancesCommand({}))).rejects.toThrow(
      named(ec2Code),
    );
    await expect(new STSClient(settings).send(new GetCallerIdentityCommand({}))).rejects.toThrow(
      named(stsCode),
    );
  });

  test('a clock that is an hour off is refused', async () => {
    const settings = {
      ...strange,
      endpoint: cloud.endpoint,
      credentials: CREDENTIALS,
      systemClockOffset: -3_600_000,
    };
    await expect(new EC2Client(settings).send(new DescribeInstancesCommand({}))).rejects.toThrow(
      named('RequestExpired'),
    );
  });

  test('no signature at all is refused', async () => {
    const answer = await fetch(cloud.endpoint, {
      method: 'POST',
      body: new URLSearchParams({ Action: 'DescribeInstances' }),
    });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('<Code>MissingAuthenticationToken</Code>');
  });
});

describe('the lab behind the cloud', () => {
  test('every answer says which lab it is', async () => {
    const answer = await fetch(`${cloud.endpoint}/_lab/identity`);
    expect(answer.headers.get('x-ridgeline-lab')).toBe('test');
  });

  test('a machine cannot harm others: its address is refused', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = get(`${cloud.endpoint}/_lab/state`, { localAddress: '127.64.32.4' }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      request.on('error', reject);
    });
    expect(status).toBe(403);
  });

  test('every mutation is in the events, in order', async () => {
    const { id } = (await cloud.lab('POST', 'faults', { kind: 'throttle', scale: 1 })) as { id: string };
    await cloud.lab('DELETE', `faults/${id}`);
    const { events } = (await cloud.lab('GET', 'events')) as {
      events: { seq: number; name: string; subject: string }[];
    };
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
    expect(events.slice(-2)).toMatchObject([
      { name: 'fault.added', subject: id },
      { name: 'fault.cleared', subject: id },
    ]);
  });

  test('nonsense is told', async () => {
    expect(await cloud.lab('POST', 'faults', { kind: 'nope' })).toMatchObject({ code: 'InvalidRequest' });
    expect(await cloud.lab('POST', 'instances/i-0/crash')).toMatchObject({ code: 'NotFound' });
    expect(await cloud.lab('POST', 'cuts', { from: 'a', to: 'b' })).toMatchObject({ code: 'InvalidRequest' });
    expect(await cloud.lab('GET', 'nothing')).toMatchObject({ code: 'NotFound' });
  });
});
