/** The watch on consoles: what was read counts, nobody waits for it, and few are read at once. */
import { expect, test } from 'vitest';
import { conflictMarker } from '../../../../controller/api/launch-batch.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import type { Machines } from '../../../../controller/cloud/port.ts';
import { ConsoleWatch } from '../../../../controller/kinds/server/console-watch.ts';

const minute = 60_000;

/** A cloud whose consoles are answered by hand. */
function setUp() {
  const asked: string[] = [];
  const answers = new Map<string, (text: string | Error) => void>();
  const consoleOutput = (id: string) => {
    asked.push(id);
    return new Promise<string>((resolve, reject) => {
      answers.set(id, (text) => (text instanceof Error ? reject(text) : resolve(text)));
    });
  };
  const watch = new ConsoleWatch();
  return {
    asked,
    look: (id: string, now: number) => watch.hasConflict({ consoleOutput } as Machines, id, now),
    answer: async (id: string, text: string | Error) => {
      answers.get(id)?.(text);
      await new Promise(setImmediate);
    },
  };
}

test('tells at a later look what the console says, for ever', async () => {
  const { look, answer, asked } = setUp();
  expect(look('i-1', 0)).toBe(false);
  await answer('i-1', `booting\n${conflictMarker}\n`);
  expect(look('i-1', 1)).toBe(true);
  expect(look('i-1', 10 * minute)).toBe(true);
  expect(asked).toEqual(['i-1']);
});

test('reads a console once a minute, one that cannot be read too', async () => {
  const { look, answer, asked } = setUp();
  look('i-1', 0);
  await answer('i-1', 'booting');
  expect(look('i-1', minute - 1)).toBe(false);
  expect(asked).toHaveLength(1);
  expect(look('i-1', minute)).toBe(false);
  await answer('i-1', new AppError('cloud.throttled', 'later'));
  expect(look('i-1', 2 * minute - 1)).toBe(false);
  expect(asked).toHaveLength(2);
});

test('reads two at once, and each only once', async () => {
  const { look, answer, asked } = setUp();
  for (const id of ['i-1', 'i-1', 'i-2', 'i-3']) look(id, 0);
  expect(asked).toEqual(['i-1', 'i-2']);
  await answer('i-2', 'booting');
  look('i-3', 1);
  expect(asked).toEqual(['i-1', 'i-2', 'i-3']);
});
