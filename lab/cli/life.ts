/** Verbs for the lab itself: up, down, status, images, and a shell on a machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ensureImage } from '../ami/build.ts';
import { suites } from '../ami/recipe.ts';
import { endpoint, images, network, paths } from '../config.ts';
import { down, isUp, labInit, offerNewImages, restartApi, up } from '../launcher/lab.ts';
import { preflight } from '../launcher/preflight.ts';
import { findInstance, instances } from './control.ts';
import { UsageError, type Verb } from './verb.ts';

const say = (line: string): void => console.log(line);

/** Ctrl-C ends a build cleanly instead of leaving half of it. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

export const lifeVerbs: Readonly<Record<string, Verb>> = {
  up: {
    usage: '',
    summary: 'start the lab; builds its machine image first where that is missing (about a minute)',
    operands: [0, 0],
    async run() {
      const started = await up({ progress: say, signal: interrupted() });
      say(started ? `The lab is up at ${endpoint}.` : `The lab was up already at ${endpoint}.`);
      say(`Any AWS client can use it: source ${paths.environment}`);
    },
  },
  down: {
    usage: '',
    summary: 'end the lab and delete all its machines, volumes, buckets and zones',
    operands: [0, 0],
    async run() {
      await down();
      say('The lab is down; nothing of it is left but its log.');
    },
  },
  status: {
    usage: '',
    summary: 'whether the lab is up, and its machines',
    operands: [0, 0],
    async run() {
      if (!(await isUp())) {
        say('The lab is down.');
        process.exitCode = 1;
        return;
      }
      say(`The lab is up at ${endpoint}.`);
      const rows = (await instances()).filter(({ state }) => state !== 'terminated');
      for (const { id, privateIp, zone, type, state, condition, disk, tags } of rows) {
        const harm = [condition === 'ok' ? [] : condition, disk === undefined ? [] : `disk ${disk}`].flat();
        const health = harm.length === 0 ? state : `${state} (${harm.join(', ')})`;
        say(
          `${id}  ${privateIp.padEnd(14)}  ${zone}  ${type.padEnd(10)}  ${health.padEnd(20)}  ${tags['Name'] ?? ''}`,
        );
      }
    },
  },
  ssh: {
    usage: '<machine> [command …]',
    summary: 'a root shell on a machine, through the lab and not its network: works when sshd does not',
    operands: [1, 1],
    async run([name = '', ...command]) {
      const { id, state, condition } = await findInstance(name);
      if (state !== 'running' || condition !== 'ok') {
        throw new Error(`${name} is ${condition === 'ok' ? state : condition}: nobody can enter it now`);
      }
      await enterMachine(id, command);
    },
  },
  ami: {
    usage: `build [${suites.join('|')}]`,
    summary: 'build a machine image; `up` offers every one that is built',
    operands: [1, 2],
    async run([verb, name = 'trixie']) {
      const suite = suites.find((known) => known === name);
      if (verb !== 'build' || suite === undefined)
        throw new UsageError(`usage: ami build [${suites.join('|')}]`);
      await preflight(network.cidr, paths.lab, say);
      say(await ensureImage({ suite, cache: paths.cache, progress: say, signal: interrupted() }));
      const when = (await offerNewImages()) || (await isUp()) ? 'now' : 'from the next start of the lab';
      say(`It is ${images[suite].id} ${when}.`);
    },
  },
  'restart-api': {
    usage: '',
    summary: 'kill the process that serves the API and let a new one take over; machines live on',
    operands: [0, 0],
    async run() {
      await restartApi();
      say('The API process was killed; its successor serves.');
    },
  },
};

async function enterMachine(instanceId: string, command: readonly string[]): Promise<void> {
  const shell = command.length > 0 ? ['sh', '-c', command.join(' ')] : ['bash', '-l'];
  const terminal = process.stdin.isTTY ? ['--tty'] : [];
  const child = spawn('nsenter', entry([...terminal, instanceId, ...shell]), { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  process.exitCode = typeof code === 'number' ? code : 1;
}

/** Arguments of `nsenter` that run something on a machine, as root and whatever its network is; `order` begins with its id. */
export function entry(order: readonly string[]): readonly string[] {
  const init = labInit();
  if (init === undefined) throw new Error('the lab is down: start it with node lab/main.ts up');
  return [
    '--target',
    `${init}`,
    '--mount',
    '--pid',
    '--net',
    'crun',
    '--root',
    '/run/crun',
    'exec',
    ...order,
  ];
}
