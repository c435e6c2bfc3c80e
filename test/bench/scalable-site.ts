/** `make bench-site`: the scalable site under wrk, an outside load tool; what fails while arrays and HAProxy change. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openInstallation, type Installation } from '../e2e/setup.ts';
import { root } from '../source-tree.ts';

const example = path.join(root, 'examples', 'scalable-site', 'site.yaml');
const namespace = ['--namespace', 'site'];

/** wrk's own words, for each front end and kind of client. */
interface Judge {
  readonly name: string;
  end(): Promise<string>;
}

function judge(address: string, keepAlive: boolean): Judge {
  // Two connections and the lowest priority: the machine has other work.
  const options = [
    '-t1',
    '-c2',
    '-d1h',
    '--timeout',
    '10s',
    ...(keepAlive ? [] : ['-H', 'Connection: close']),
  ];
  const wrk = spawn('nice', ['-n', '19', 'wrk', ...options, `http://${address}/`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  wrk.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const ended = new Promise<void>((resolve, reject) => {
    wrk.once('close', () => resolve());
    wrk.once('error', () => reject(new Error('wrk is missing: apt-get install -y wrk')));
  });
  return {
    name: `${address} ${keepAlive ? 'keep-alive' : 'a connection per request'}`,
    end: async () => {
      wrk.kill('SIGINT');
      await ended;
      return said.join('');
    },
  };
}

/** What wrk reports of requests and failures; it names only those kinds that occurred. */
function verdict(said: string): string {
  const lines = said.split('\n').filter((line) => /requests in|Socket errors|Non-2xx/.test(line));
  const hasFailed = lines.length > 1;
  return `${lines.map((line) => line.trim()).join('; ')}${hasFailed ? '' : '; no failures'}`;
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - began > 300_000) throw new Error(`${what}: not within 5 min`);
    await sleep(200);
  }
  return (performance.now() - began) / 1000;
}

async function measure(site: Installation): Promise<void> {
  const kubectl = (...args: string[]) => site.kubectl.run([...namespace, ...args]);
  const membersUp = async () =>
    Number(await kubectl('get', 'rllb', 'www', '--output=jsonpath={.status.membersUp}'));
  await kubectl('apply', '--server-side', '--filename', example);
  await until('the site', async () => (await membersUp()) === 4);
  const front = ['--selector=ridgeline.dev/array=front', '--output=jsonpath={.items[*].status.privateIP}'];
  const addresses = (await kubectl('get', 'rlsrv', ...front)).split(' ');
  const judges = addresses.flatMap((address) => [judge(address, true), judge(address, false)]);
  for (const replicas of [6, 0, 3]) {
    await kubectl('scale', 'rla/app', `--replicas=${replicas}`);
    const seconds = await until(`${replicas} servers`, async () => (await membersUp()) === replicas + 2);
    console.log(`scaled to ${replicas} in ${seconds.toFixed(1)} s`);
  }
  for (let i = 0; i < 30; i++) {
    const patch = JSON.stringify({ spec: { haproxyExtra: { defaults: `timeout check ${1000 + i}ms` } } });
    const before = await kubectl('get', 'rllb', 'www', '--output=jsonpath={.status.configHash}');
    await kubectl('patch', 'rllb', 'www', '--type=merge', '--patch', patch);
    await until('a reload', async () => {
      const now = await kubectl(
        'get',
        'rllb',
        'www',
        '--output=jsonpath={.status.configHash} {.status.frontendsApplied}',
      );
      return now.endsWith(' 2') && !now.startsWith(before);
    });
  }
  console.log('30 reloads on each front end');
  for (const one of judges) console.log(`${one.name}: ${verdict(await one.end())}`);
}

const site = await openInstallation();
try {
  await site.startController();
  await measure(site);
} finally {
  await site.close();
}
process.exit(0);
