/** Verbs that harm machines and the API, and the one that heals. */
import { control, findInstance, instances } from './control.ts';
import { numberOption, type OptionValues, parseNumber, type Verb } from './verb.ts';

const say = (line: string): void => console.log(line);

/** A verb that does one thing to one machine. */
function harm(condition: string, summary: string): Verb {
  return {
    usage: '<machine>',
    summary,
    operands: [1, 1],
    async run([name = '']) {
      const { id, privateIp } = await findInstance(name);
      await control('POST', `instances/${id}/${condition}`);
      say(`${condition}: ${id} (${privateIp})`);
    },
  };
}

/** A verb that switches a fault of the API on. */
function fault(
  verb: Omit<Verb, 'run'>,
  rule: (operands: readonly string[], options: OptionValues) => object,
): Verb {
  return {
    ...verb,
    async run(operands, options) {
      say(`on: ${JSON.stringify(await control('POST', 'faults', rule(operands, options)))}; heal ends it`);
    },
  };
}

export const chaosVerbs: Readonly<Record<string, Verb>> = {
  crash: harm('crash', 'all its processes die; peers see connections closed and refused'),
  'power-off': harm('power-off', 'silence first, then death: peers see nothing'),
  hang: harm('hang', 'nothing answers, yet its kernel accepts TCP connections'),
  resume: harm('resume', 'ends a hang'),
  load: {
    usage: '<machine> <load>',
    summary: 'the load average the machine sees, e.g. 3.5',
    operands: [2, 2],
    async run([name = '', load = '']) {
      const { id } = await findInstance(name);
      await control('POST', `instances/${id}/load`, { load: parseNumber(load, 'the load') });
      say(`load of ${id}: ${load}`);
    },
  },
  throttle: fault(
    {
      usage: '[scale]',
      summary: 'API request limits, as a share of those of EC2 (0.1: a tenth)',
      operands: [0, 1],
    },
    ([scale = '0.1']) => ({ kind: 'throttle', scale: parseNumber(scale, 'the scale') }),
  ),
  slow: fault(
    {
      usage: '<action> [--delay milliseconds] [--times n]',
      summary: 'API calls of this name (* for all) answer late',
      operands: [1, 1],
      options: { delay: { type: 'string' }, times: { type: 'string' } },
    },
    ([action], options) => ({
      kind: 'slow',
      action,
      delayMs: numberOption(options, 'delay', 5000),
      ...times(options),
    }),
  ),
  'no-capacity': fault(
    {
      usage: '<instance-type|*> <zone|*> [--left n]',
      summary: 'launches end in InsufficientInstanceCapacity, after n more',
      operands: [2, 2],
      options: { left: { type: 'string' } },
    },
    ([type, zone], options) => ({ kind: 'no-capacity', type, zone, left: numberOption(options, 'left', 0) }),
  ),
  'stale-reads': fault(
    {
      usage: '[--p50 milliseconds] [--p99 milliseconds]',
      summary: 'describe calls show the past, as EC2 may',
      operands: [0, 0],
      options: { p50: { type: 'string' }, p99: { type: 'string' } },
    },
    (_, options) => ({
      kind: 'stale-reads',
      p50Ms: numberOption(options, 'p50', 500),
      p99Ms: numberOption(options, 'p99', 5000),
      seed: 1,
    }),
  ),
  heal: {
    usage: '[<machine>]',
    summary: 'ends all harm to the network, disks and API, or that to one machine; crashed ones stay so',
    details:
      'A machine whose disk went read-only is restarted, for nothing else mends that. Machines that hang, crashed or have no ' +
      'power stay as they are: resume, or reboot them through the API.',
    examples: ['heal', 'heal db-1'],
    operands: [0, 1],
    async run([name]) {
      const one = name === undefined ? undefined : await findInstance(name);
      await control('DELETE', one === undefined ? 'network' : `network?address=${one.privateIp}`);
      if (one === undefined) await control('DELETE', 'faults');
      const harmed = (one === undefined ? await instances() : [one]).filter(
        ({ state, condition, disk }) => state === 'running' && condition === 'ok' && disk !== undefined,
      );
      for (const { id } of harmed) await control('POST', `instances/${id}/disk-ok`);
      say('healed');
    },
  },
};

function times(options: OptionValues): { times?: number } {
  return options['times'] === undefined ? {} : { times: numberOption(options, 'times', 1) };
}
