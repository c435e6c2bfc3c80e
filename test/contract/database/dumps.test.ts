/** Dumps of one database on real servers: they arrive as they are, or it is told what is different. */
import { gzipSync } from 'node:zlib';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobExit } from '../../../controller/database/job-script.ts';
import { loadingJob } from '../../../controller/database/loading.ts';
import { preparationFacts } from '../../../controller/database/preparation.ts';
import { endpoint, images, region, stateBucket } from '../../../lab/config.ts';
import { readSettings } from '../../../lab/settings.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { type DatabaseHost, DatabaseHosts, type Engine } from './database-hosts.ts';

/**
 * As mysqldump writes it with --skip-set-charset, on a server with GTIDs; with a word that no other character set has, and
 * parts that belong to accounts of the other server.
 */
const dump = `CREATE TABLE word (id INT PRIMARY KEY, text VARCHAR(90) CHARACTER SET utf8mb4) ENGINE = InnoDB;
SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'fa2e012d-ed02-11f1-ad82-02fc00000001:1-95,
fa2e012d-ed02-11f1-ad82-02fc00000002:1-7';
INSERT INTO word VALUES (1, 'naïve 名 😀'), (2, 'a\\nb;\\nSET @@GLOBAL.GTID_PURGED=1');
DELIMITER ;;
CREATE DEFINER=\`owner\`@\`%\` FUNCTION one() RETURNS INT DETERMINISTIC BEGIN RETURN 1; END;;
CREATE DEFINER=\`owner\`@\`%\` EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1;;
DELIMITER ;
CREATE DEFINER=\`stranger\`@\`10.%\` VIEW words AS SELECT * FROM word;
`;
const texts = ['naïve 名 😀', 'a\nb;\nSET @@GLOBAL.GTID_PURGED=1'];

/** What a server gives to sessions, and loading does not take. */
const settings = [
  { name: 'autocommit', value: 'OFF' },
  { name: 'sql_mode', value: 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' },
  { name: 'character_set_server', value: 'latin1' },
];

const mariaDB: Engine = { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id };
const mySQL: Engine = { flavor: 'MySQL', series: '9.7', imageID: images.sid.id };

describe('a dump of one database on MariaDB', () => tellOf(mariaDB));
await whenBuilt('sid', 'MySQL', () => describe('a dump of one database on MySQL', () => tellOf(mySQL)));

function tellOf(engine: Engine): void {
  let s3: S3Client;
  let hosts: DatabaseHosts;
  let host: DatabaseHost;
  const place = { Bucket: stateBucket, Key: `dumps-test/${engine.flavor}.gz` };

  beforeAll(async () => {
    hosts = await DatabaseHosts.start(engine);
    s3 = new S3Client({ endpoint, region, credentials: readSettings()!, forcePathStyle: true });
    host = await hosts.boot();
    await s3.send(new PutObjectCommand({ ...place, Body: gzipSync(dump) }));
  });
  afterAll(async () => {
    await s3.send(new DeleteObjectCommand(place));
    s3.destroy();
    await hosts.end();
  });

  async function load(database?: string) {
    const { initialise: _, ...rest } = host.preparation({ settings });
    const url = await getSignedUrl(s3, new GetObjectCommand(place), { expiresIn: 300 });
    return await host.tryJob((id) => loadingJob(id, rest, { url, database }));
  }

  it('is not loaded when nobody says which', async () => {
    const { state, log } = await load();
    expect(state).toMatchObject({ state: 'exited', exitCode: jobExit.lacksDatabase });
    expect(log.trimEnd()).toMatch(/names no database: .* spec\.bootstrap\.dump\.database$/);
  });

  it('arrives byte for byte, whatever sessions inherit, and it is told what will not work', async () => {
    const { log } = await load('my-shop');
    expect(preparationFacts(log)).toMatchObject({
      holding: 'whole',
      missingDefiners: ['owner@%', 'stranger@10.%'],
    });
    const words = await host.sql(`SELECT HEX(text) FROM \`my-shop\`.word ORDER BY id`);
    expect(words.split('\n')).toEqual(texts.map((text) => Buffer.from(text).toString('hex').toUpperCase()));
    const parts = 'SELECT event_name, status FROM information_schema.events';
    expect(await host.sql(parts)).toBe('daily\tENABLED');
    expect(await host.database.look(2_000)).toMatchObject({ readOnly: true, executed: '', epoch: 0 });
  });
}
