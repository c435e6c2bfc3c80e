/** The dialogue with HAProxy's prompt: answers in order, however they are cut into chunks, and no one waits for ever. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { RuntimeSocket } from '../../../controller/balancer/runtime-socket.ts';
import { root } from '../../source-tree.ts';

/** The far end: keeps what was written, says what a test tells it to. */
class Channel extends Duplex {
  readonly written: string[] = [];

  say(text: string): void {
    this.push(text);
  }

  override _read(): void {
    // Pushed when there is something to say.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk.toString());
    done();
  }
}

let channel: Channel;
let socket: RuntimeSocket;

beforeEach(() => {
  channel = new Channel();
  socket = new RuntimeSocket(channel);
});

test('asks for the prompt first and gives each command its own answer', async () => {
  const answers = Promise.all([socket.command('show info'), socket.command('set weight a/b 1')]);
  for (const chunk of ['\n>', ' Name: HAProxy\nPid: 7\n', '\n> ', '\n', '> ']) channel.say(chunk);
  expect(await answers).toEqual(['Name: HAProxy\nPid: 7', '']);
  expect(channel.written.join('')).toBe('prompt\nshow info\nset weight a/b 1\n');
});

test.each(['2.6', '3.0'])('understands what HAProxy %s says', async (version) => {
  const file = path.join(root, 'test', 'golden', 'haproxy', `says-${version}`, 'show-servers-state.txt');
  const state = readFileSync(file, 'utf8');
  const answer = socket.command('show servers state');
  channel.say(`\n> ${state}\n> `);
  expect(await answer).toBe(state.trim());
});

test('when the channel ends, all who wait and all who come later are told', async () => {
  const waiting = socket.command('show info');
  channel.say('\n> Name: HA');
  channel.destroy();
  await expect(waiting).rejects.toMatchObject({ code: 'shell.interrupted' });
  expect(socket.isOpen).toBe(false);
  await expect(socket.command('show info')).rejects.toMatchObject({ code: 'shell.interrupted' });
});
