#!/usr/bin/env node
/** The lab's command line: `node lab/main.ts --help`. */
import { parseArgs } from 'node:util';
import { chaosVerbs } from './cli/chaos.ts';
import { diskVerbs } from './cli/disk.ts';
import { help, verbHelp } from './cli/help.ts';
import { lifeVerbs } from './cli/life.ts';
import { networkVerbs } from './cli/network.ts';
import { UsageError, type Verb } from './cli/verb.ts';

const verbs: Readonly<Record<string, Verb>> = {
  ...lifeVerbs,
  ...chaosVerbs,
  ...networkVerbs,
  ...diskVerbs,
};

function verbOf(name: string | undefined): Verb {
  const verb = name === undefined ? undefined : verbs[name];
  if (verb === undefined)
    throw new UsageError(name === undefined ? 'a verb is missing' : `there is no verb "${name}"`);
  return verb;
}

/** `ssh` hands everything after the machine's name on, whatever it looks like. */
function split(name: string | undefined, rest: readonly string[]): { own: string[]; passed: string[] } {
  return name === 'ssh' ? { own: rest.slice(0, 1), passed: rest.slice(1) } : { own: [...rest], passed: [] };
}

async function main([name, ...rest]: readonly string[]): Promise<void> {
  if (name === undefined || name === 'help' || name === '--help') {
    console.log(help(verbs));
    return;
  }
  const verb = verbOf(name);
  const { own, passed } = split(name, rest);
  if (own.includes('--help')) {
    console.log(verbHelp(name, verb));
    return;
  }
  const { positionals, values } = parseArgs({
    args: own,
    options: verb.options ?? {},
    allowPositionals: true,
  });
  const [least, most] = verb.operands;
  if (positionals.length < least || positionals.length > most)
    throw new UsageError(`usage: ${name} ${verb.usage}`);
  await verb.run(
    [...positionals, ...passed],
    values as Readonly<Record<string, string | boolean | undefined>>,
  );
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const wrongUse = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
  if (wrongUse) console.error('Try: node lab/main.ts --help');
  process.exitCode = wrongUse ? 2 : 1;
}
