/** What one installation has put into the lab's bucket. */
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { stateBucket } from '../../lab/config.ts';
import { labAccess } from '../../lab/demo/controller.ts';

/** Every object below the prefix as text, by its key without the prefix. */
export async function readStateStore(prefix: string): Promise<ReadonlyMap<string, string>> {
  const s3 = new S3Client({ ...labAccess(), forcePathStyle: true });
  try {
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: stateBucket, Prefix: prefix }),
    );
    const read = Contents.map(async ({ Key = '' }) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: stateBucket, Key }));
      return [Key.slice(prefix.length), (await Body?.transformToString()) ?? ''] as const;
    });
    return new Map(await Promise.all(read));
  } finally {
    s3.destroy();
  }
}
