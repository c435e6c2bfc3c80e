/** Verbs that harm the network: partitions, and delay, jitter, loss, reordering, duplication and bandwidth. */
import type { ImpairmentField } from '../world/links.ts';
import { control, findAddress, findInstance } from './control.ts';
import { parseQuantity, type Quantity, rate, share, time } from './units.ts';
import { UsageError, type Verb } from './verb.ts';

const say = (line: string): void => console.log(line);

interface Impairing {
  readonly field: ImpairmentField;
  readonly quantity: Quantity;
  readonly summary: string;
  readonly details?: string;
  /** Value and machines of the example. */
  readonly example: string;
}

/** A verb that changes one property of the network of a machine, or between two. */
function impair(name: string, { field, quantity, summary, details = '', example }: Impairing): Verb {
  return {
    usage: `<machine> [<machine>] <${quantity.example.split(' ')[0]?.replace(',', '')}> [--one-way]`,
    summary,
    details:
      `On every packet from and to the machine; with a second machine, between the two only (which goes before what holds ` +
      `for one of them). Both ways, unless --one-way: only what the first sends. ${details}It adds to the other network ` +
      `verbs; ${quantity.least.startsWith('0') ? `${quantity.least} or ` : ''}heal ends it, a restart of the machine does not.`,
    examples: [`${name} ${example}`],
    operands: [2, 3],
    options: { 'one-way': { type: 'boolean' } },
    async run(operands, options) {
      const value = parseQuantity(operands.at(-1) ?? '', quantity);
      const { from, to } = await endsOf(operands.slice(0, -1));
      const oneWay = options['one-way'] === true;
      await control('POST', 'impairments', { from, to, [field]: value });
      if (!oneWay) await control('POST', 'impairments', { from: to, to: from, [field]: value });
      say(`${name} ${operands.at(-1)}: ${from} ${oneWay ? '->' : '<->'} ${to === '*' ? 'everybody' : to}`);
    },
  };
}

async function endsOf([first = '', second]: readonly string[]): Promise<{ from: string; to: string }> {
  if (second === undefined) return { from: (await findInstance(first)).privateIp, to: '*' };
  const [from, to] = [await findAddress(first), await findAddress(second)];
  if (from === to) throw new UsageError(`"${first}" and "${second}" are the same machine`);
  return { from, to };
}

export const networkVerbs: Readonly<Record<string, Verb>> = {
  partition: {
    usage: '<machine> <machine> [--one-way]',
    summary: 'packets between them are lost; one-way: only those from the first to the second',
    examples: ['partition db-1 db-2', 'partition db-1 computer --one-way'],
    operands: [2, 2],
    options: { 'one-way': { type: 'boolean' } },
    async run([first = '', second = ''], options) {
      const { from, to } = await endsOf([first, second]);
      const oneWay = options['one-way'] === true;
      await control('POST', 'cuts', { from, to });
      if (!oneWay) await control('POST', 'cuts', { from: to, to: from });
      say(`cut: ${from} ${oneWay ? '->' : '<->'} ${to}`);
    },
  },
  delay: impair('delay', {
    field: 'delayMs',
    quantity: time,
    summary: 'packets arrive later, each way: a round trip takes twice as much more',
    example: 'db-1 db-2 80ms',
  }),
  jitter: impair('jitter', {
    field: 'jitterMs',
    quantity: time,
    summary: 'packets arrive up to so much later, each by another time; their order stays',
    example: 'db-1 20ms',
  }),
  loss: impair('loss', {
    field: 'loss',
    quantity: share,
    summary: 'this share of the packets is lost',
    example: 'db-1 db-2 5% --one-way',
  }),
  reorder: impair('reorder', {
    field: 'reorder',
    quantity: share,
    summary: 'this share of the packets is held 20 ms, so that later ones arrive before them',
    example: 'web-1 10%',
  }),
  duplicate: impair('duplicate', {
    field: 'duplicate',
    quantity: share,
    summary: 'this share of the packets arrives twice',
    example: 'web-1 1%',
  }),
  bandwidth: impair('bandwidth', {
    field: 'bitsPerSecond',
    quantity: rate,
    summary: 'no more than this rate goes through, each way',
    details: 'What is above it waits, for a second at most, and is lost then. ',
    example: 'db-1 10mbit',
  }),
};
