/** Sessions: every question ends by its deadline, whatever the server or the way to it does. */
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../controller/base/clock.ts';
import { AppError } from '../../../controller/base/errors.ts';
import { Session } from '../../../controller/database/session.ts';

/** A connection that takes everything and says nothing. */
const mute = () => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });

describe('Session', () => {
  let session: Session;
  afterEach(() => session.close());

  const open = (dial: () => Promise<Duplex>) => {
    session = new Session(
      { name: 'db-1', user: 'ridgeline', password: 'secret', prelude: '', dial },
      systemClock,
    );
  };
  const ask = (timeout = 100) => session.ask(['SELECT 1'], timeout);

  it('tells that nobody listens', async () => {
    open(() => Promise.reject(new AppError('shell.refused', 'refused')));
    await expect(ask()).rejects.toMatchObject({ code: 'database.refused' });
  });

  it('passes on that the host does not answer', async () => {
    open(() => Promise.reject(new AppError('shell.unreachable', 'silence')));
    await expect(ask()).rejects.toMatchObject({ code: 'shell.unreachable' });
  });

  it('does not wait for a connection that comes too late, and closes it', async () => {
    const late = mute();
    let arrive: (stream: Duplex) => void = () => undefined;
    open(() => new Promise((resolve) => (arrive = resolve)));
    await expect(ask()).rejects.toMatchObject({ code: 'database.silent' });
    arrive(late);
    await systemClock.sleep(5);
    expect(late.destroyed).toBe(true);
  });

  it('does not take a connection for an answer: a server that stands still greets nobody', async () => {
    const streams: Duplex[] = [];
    open(async () => {
      streams.push(mute());
      return streams.at(-1)!;
    });
    await expect(ask()).rejects.toMatchObject({ code: 'database.silent' });
    await systemClock.sleep(20);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  it('ends a question when it is closed', async () => {
    open(() => Promise.resolve(mute()));
    const answer = ask(60_000);
    await systemClock.sleep(5);
    session.close();
    await expect(answer).rejects.toMatchObject({ code: 'database.silent' });
  });

  it('is not held up by another question beyond its own time', async () => {
    open(() => Promise.resolve(mute()));
    const long = ask(300);
    long.catch(() => undefined);
    const began = performance.now();
    await expect(ask(50)).rejects.toMatchObject({ code: 'database.silent' });
    expect(performance.now() - began).toBeLessThan(200);
    await expect(long).rejects.toMatchObject({ code: 'database.silent' });
  });

  it('takes the end of the server side for its end, though our side is still open', async () => {
    const stream = mute();
    open(() => Promise.resolve(stream));
    const answer = ask(5_000);
    await systemClock.sleep(5);
    stream.push(null);
    await expect(answer).rejects.toMatchObject({ code: 'database.refused' });
    expect(stream.destroyed).toBe(true);
  });
});
