/** The job that prepares a host: its text, what it keeps secret, and how its facts are read. Real hosts run it in test/contract. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { nodeScript } from '../../../controller/database/node-script.ts';
import { preparationFacts, preparationJob } from '../../../controller/database/preparation.ts';
import { renderSettings } from '../../../controller/database/settings.ts';
import { root } from '../../source-tree.ts';
import { mariaDB, mySQL } from './preparations.ts';

const golden = (name: string) => path.join(root, 'test', 'golden', 'database', name);
const filesOf = (job: ReturnType<typeof preparationJob>) =>
  Object.fromEntries(
    job.attachments.map(({ name, content }) => [name, Buffer.from(content, 'base64').toString()]),
  );

test.each([
  ['preparation-mariadb.sh', mariaDB],
  ['preparation-mysql.sh', mySQL],
] as const)('%s is as agreed, and bash reads it', async (name, preparation) => {
  const { script } = preparationJob('prepare-1', preparation);
  execFileSync('bash', ['-n'], { input: script });
  await expect(script).toMatchFileSnapshot(golden(name));
});

describe('the preparation of a host', () => {
  it('keeps passwords out of everything but the environment', () => {
    const job = preparationJob('prepare-1', mariaDB);
    expect(job.environment).toEqual({
      RL_ADMIN_PASSWORD: 'admin-secret',
      RL_REPLICATION_PASSWORD: 'replication-secret',
    });
    expect(JSON.stringify({ ...job, environment: {} }) + JSON.stringify(filesOf(job))).not.toContain(
      '-secret',
    );
  });

  it('brings the configuration, the node script and a unit that stays down after a crash', () => {
    const files = filesOf(preparationJob('prepare-1', mySQL));
    expect(files['settings.cnf']).toBe(renderSettings(mySQL));
    expect(files['ridgeline-node']).toBe(nodeScript);
    expect(files['unit.conf']).toMatch(/^Restart=no$/m);
  });

  it('never lets MySQL hear that it shall end, for it would acknowledge what nobody else has', () => {
    const unitOf = (preparation: typeof mySQL) =>
      filesOf(preparationJob('prepare-1', preparation))['unit.conf'];
    expect(unitOf(mySQL)).toMatch(/^KillSignal=SIGKILL$/m);
    expect(unitOf(mariaDB)).not.toContain('KillSignal');
  });

  it('makes the first data, and restarts, only where it is told to', () => {
    const { script } = preparationJob('prepare-1', {
      ...mariaDB,
      initialise: false,
      restart: { epoch: 3, serial: 7 },
    });
    expect(script).toContain("initialise='no'\n");
    expect(script).toContain("stamp='3.7'\n");
    expect(preparationJob('prepare-1', mariaDB).script).toContain("stamp=''\ninitialise='yes'\n");
  });

  it('looks at a machine that runs already, or takes it over, only where it is told to', () => {
    const said = (adopt: 'no' | 'look' | 'take') =>
      preparationJob('prepare-1', { ...mariaDB, initialise: false, adopt }).script;
    expect(said('no')).toContain("adopt='no'\n");
    expect(said('look')).toContain("adopt='look'\n");
    expect(said('take')).toContain("adopt='take'\n");
  });

  it('cannot be escaped from by what users write', () => {
    const evil = `x'; touch /tmp/evil; '`;
    const { script } = preparationJob('prepare-1', { ...mariaDB, series: evil, clusterUID: evil });
    const assignments = script.slice(0, script.indexOf('set -euo pipefail'));
    const said = execFileSync('bash', ['-c', `${assignments}\nprintf %s "$series"`]).toString();
    expect(said).toBe(evil);
  });
});

describe('the facts', () => {
  const line = 'ridgeline-facts {"version":"11.8.6","holding":"whole","running":true,"restartPending":false}';
  const facts = { version: '11.8.6', holding: 'whole', running: true, restartPending: false };

  it('are read from a log with times', () => {
    expect(preparationFacts(`2026-11-23T03:36:12Z wrote a\n2026-11-23T03:36:12Z ${line}\n`)).toEqual(facts);
    expect(preparationFacts(line)).toEqual(facts);
  });

  it('are missing where the job failed before', () => {
    expect(preparationFacts('2026-11-23T03:36:12Z the image has no mariadbd\n')).toBeUndefined();
  });
});
