/** Verbs that harm the root disk of a machine. */
import { control, findInstance } from './control.ts';
import type { Verb } from './verb.ts';

function spoil(name: string, verb: Pick<Verb, 'summary' | 'details'>): Verb {
  return {
    ...verb,
    usage: '<machine>',
    examples: [`${name} db-1`],
    operands: [1, 1],
    async run([machine = '']) {
      const { id, privateIp } = await findInstance(machine);
      await control('POST', `instances/${id}/${name}`);
      console.log(`${name}: ${id} (${privateIp})`);
    },
  };
}

export const diskVerbs: Readonly<Record<string, Verb>> = {
  'disk-full': spoil('disk-full', {
    summary: 'its root disk is full: writing one byte more is ENOSPC',
    details:
      'A file outside of the machine takes all the room that is left. Data volumes are not touched. What the machine ' +
      'deletes itself is free for it again. heal gives the room back; a restart does not.',
  }),
  'disk-read-only': spoil('disk-read-only', {
    summary: 'its root disk went read-only, as after an error: every write is EROFS, to open files too',
    details:
      'What was written before is safe. As on a real machine only a boot mends it: reboot it, stop and start it, or heal, ' +
      'which restarts it hard.',
  }),
};
