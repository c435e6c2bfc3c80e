/** `make demo` and `make demo-down`: everything up, examples applied, watched and visited in turn; and everything gone. */
import path from 'node:path';
import { paths } from '../config.ts';
import type { Kubectl } from '../kube/kubectl.ts';
import { bringUp, kubeconfig, memoryOfController, type Step, takeDown } from './stack.ts';
import { firstServer } from './stories/first-server.ts';
import { redundantSite } from './stories/redundant-site.ts';
import { scalableSite } from './stories/scalable-site.ts';
import type { Story } from './story.ts';
import { watchUntilReady } from './watch.ts';

const stories: readonly Story[] = [firstServer, scalableSite, redundantSite];
const checkout = path.resolve(import.meta.dirname, '..', '..');
const say = (line: string): void => console.log(line);

const step: Step = async (title, work) => {
  const started = performance.now();
  const result = await work();
  say(` ✔ ${title.padEnd(40)} ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
};

async function show(chosen: readonly Story[]): Promise<void> {
  const started = performance.now();
  say('Bringing up:');
  const kubectl = await bringUp(step, say);
  for (const [index, story] of chosen.entries()) {
    if (chosen.length > 1) say(`\n── ${index + 1} of ${chosen.length}: ${story.name} ${'─'.repeat(50)}`);
    await tell(story, kubectl);
  }
  say(`Done in ${seconds(started)} s; the controller holds ${memoryOfController()}. Try next:\n`);
  say(`  export KUBECONFIG=$PWD/${relative(kubeconfig)} PATH=${searchPath(kubectl)}`);
  for (const { tryNext } of chosen) say(['', ...tryNext].join('\n  '));
  say(
    `\n  . ${relative(paths.environment)}; aws --endpoint-url $AWS_ENDPOINT_URL ec2 describe-instances   # any AWS client can join in`,
  );
  say('  node lab/main.ts --help                            # crash, hang, partition, throttle …');
  say('  make demo-down                                     # removes everything');
}

async function tell(story: Story, kubectl: Kubectl): Promise<void> {
  const folder = path.join('examples', story.name);
  say(`\nkubectl apply --server-side -f ${folder}/site.yaml`);
  const args = ['apply', '--server-side', '--filename', path.join(checkout, folder, 'site.yaml')];
  say(indent(await kubectl.run(args)));
  await watchUntilReady(kubectl, story.namespace, story.timeoutSeconds);
  say(`\n${indent(await story.visit(kubectl, say))}`);
}

function seconds(started: number): number {
  return Math.round((performance.now() - started) / 1000);
}

/** With Node 24 first, which lab/main.ts needs, and kubectl where the machine has none of its own. */
function searchPath(kubectl: Kubectl): string {
  const folder = path.dirname(kubectl.program);
  const known = (process.env['PATH'] ?? '').split(':').includes(folder);
  return ['$PWD/node_modules/.bin', ...(known ? [] : [folder]), '$PATH'].join(':');
}

function relative(file: string): string {
  return path.relative(process.cwd(), file);
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

/** `up`: all stories in order, or those that are named. */
async function main([verb, ...names]: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !stories.some((known) => known.name === name));
  if (verb === 'up' && unknown === undefined) {
    await show(stories.filter(({ name }) => names.length === 0 || names.includes(name)));
  } else if (verb === 'down') await takeDown(step);
  else {
    throw new Error(
      `usage: node lab/demo/main.ts up [${stories.map((known) => known.name).join('|')}] | down`,
    );
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  if (process.argv[2] === 'up') {
    console.error('\nWhat is up stays up: make demo goes on from here, make demo-down removes it.');
  }
  process.exitCode = 1;
}
