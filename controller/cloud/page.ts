/** One page of an installation's machines, as both threads read it. */
import { DescribeInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { toMachine } from './instances.ts';
import type { Machine } from './port.ts';

/** Which page, and how many rows at most: EC2 gives 5 to 1,000. */
export interface PageQuery {
  readonly installation: string;
  readonly size: number;
  readonly nextToken?: string | undefined;
}

/** One page of a sweep. */
export interface Page {
  readonly machines: readonly Machine[];
  /** Absent on the last page. */
  readonly nextToken: string | undefined;
}

/** Rejects with the SDK's error. */
export async function readPage(
  client: EC2Client,
  { installation, size, nextToken }: PageQuery,
  options: { readonly abortSignal?: AbortSignal } = {},
): Promise<Page> {
  const answer = await client.send(
    new DescribeInstancesCommand({
      Filters: [{ Name: 'tag:ridgeline:installation', Values: [installation] }],
      MaxResults: size,
      ...(nextToken === undefined ? {} : { NextToken: nextToken }),
    }),
    options,
  );
  const rows = (answer.Reservations ?? []).flatMap(({ Instances = [] }) => Instances);
  return { machines: rows.flatMap((row) => toMachine(row) ?? []), nextToken: answer.NextToken };
}
