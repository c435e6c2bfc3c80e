/** A real server that is ended in an orderly way, whichever: no commit that waits for a replica is told that all is well. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preparationJob } from '../../../controller/database/preparation.ts';
import { images } from '../../../lab/config.ts';
import { stamp } from '../../builders/stamp.ts';
import { until } from '../../lab/hosts/lab.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { type DatabaseHost, DatabaseHosts, type Engine } from './database-hosts.ts';

const mySQL: Engine = { flavor: 'MySQL', series: '9.7', imageID: images.sid.id };
const newer: Engine = { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id };
const older: Engine = { flavor: 'MariaDB', series: '10.11', imageID: images.bookworm.id };

/** Commits that wait at once: MySQL measured four, and answered all of them. */
const waiting = 4;
const commitTimeout = 20_000;

/** Commits wait for a replica, and there is none. */
const waitForNobody = {
  MySQL:
    'SET GLOBAL rpl_semi_sync_source_enabled = ON; SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF;',
  MariaDB: 'SET GLOBAL rpl_semi_sync_master_enabled = ON; SET GLOBAL read_only = OFF;',
} as const;

type Way = (host: DatabaseHost, hosts: DatabaseHosts) => Promise<unknown>;

/** The last one leaves nothing. */
const ways: Readonly<Record<string, Way>> = {
  'systemctl stop': (host) => host.asRoot('systemctl stop --no-block $unit'),
  'systemctl restart': (host) => host.asRoot('systemctl restart --no-block $unit'),
  'a reboot from inside': (host) => host.asRoot('systemctl reboot'),
  'a shutdown from inside': (host) => host.asRoot('systemctl poweroff'),
  RebootInstances: ({ name }, { ec2 }) => ec2.send(new RebootInstancesCommand({ InstanceIds: [name] })),
  StopInstances: ({ name }, { ec2 }) => ec2.send(new StopInstancesCommand({ InstanceIds: [name] })),
  'StopInstances with Force': ({ name }, { ec2 }) =>
    ec2.send(new StopInstancesCommand({ InstanceIds: [name], Force: true })),
  TerminateInstances: ({ name }, { ec2 }) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [name] })),
};

await whenBuilt('sid', 'orderly ends of MySQL', () => tell(mySQL));
tell(newer);
await whenBuilt('bookworm', 'orderly ends of MariaDB 10.11', () => tell(older));

function tell(engine: Engine): void {
  describe(`Orderly ends of ${engine.flavor} ${engine.series}`, () => {
    let hosts: DatabaseHosts;
    let host: DatabaseHost;

    beforeAll(async () => {
      hosts = await DatabaseHosts.start(engine);
      host = await hosts.prepared();
    });
    afterAll(() => hosts.end());

    it('restarts in good order for its settings, as nobody waits on a server that takes no writes', async () => {
      const before = await goodEnds(host);
      const changes = { settings: [{ name: 'max_connections', value: '77' }], restart: stamp(1) };
      await host.runJob((id) => preparationJob(id, host.preparation(changes)));
      expect(await host.sql('SELECT @@max_connections')).toBe('77');
      expect(await goodEnds(host)).toBeGreaterThan(before);
    });

    it.each(Object.entries(ways))('%s acknowledges nothing', { timeout: 90_000 }, async (name, end) => {
      await serve(host, hosts);
      await host.sql(waitForNobody[engine.flavor]);
      const told: string[] = [];
      const commits = Array.from({ length: waiting }, async (_, index) => {
        told.push(await host.commit(`${name} ${index}`, commitTimeout));
      });
      await sleep(1_000);
      expect(told).toEqual([]);
      await end(host, hosts);
      await Promise.all(commits);
      expect(told).toEqual(Array.from({ length: waiting }, () => 'unknown'));
    });
  });
}

/** How many lines of its logs say that it ended as it should. */
async function goodEnds(host: DatabaseHost): Promise<number> {
  const logs = '{ journalctl -u $unit -o cat; cat /var/log/mysql/error.log; } 2> /dev/null';
  return Number(await host.asRoot(`${logs} | grep -c 'Shutdown complete' || true`));
}

/** Brings the machine and its server back, whatever ended them. */
async function serve(host: DatabaseHost, { ec2 }: DatabaseHosts): Promise<void> {
  await until(
    'the machine is up and its server has ended or answers',
    async () => {
      // Refused while it is not stopped.
      await ec2.send(new StartInstancesCommand({ InstanceIds: [host.name] })).catch(() => undefined);
      const boots = 'systemctl is-system-running --wait > /dev/null';
      return await host.asRoot(`${boots}; systemctl start $unit && pidof $server`).catch(() => undefined);
    },
    60_000,
  );
}
