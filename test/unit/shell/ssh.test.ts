/** Connections: one per host, eight channels, pinned keys, and an end to every wait. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SshPool } from '../../../controller/shell/pool.ts';
import type { Host } from '../../../controller/shell/port.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';
import { SshServer } from '../../fakes/ssh-server.ts';

describe('SshPool', () => {
  let server: SshServer;
  let host: Host;
  let pool: SshPool;

  beforeEach(async () => {
    server = new SshServer();
    host = await server.open();
    pool = new SshPool();
  });
  afterEach(() => {
    pool.close();
    server.close();
  });

  const run = (line: string, timeout = 5_000) => pool.run(host, { line, timeout });

  it('carries stdin, stdout, stderr and the exit code', async () => {
    server.onCommand = (command, channel) => {
      channel.stderr.write(command);
      channel.on('data', (chunk: Buffer) => channel.write(chunk));
      channel.on('end', () => {
        channel.exit(3);
        channel.end();
      });
    };
    const answer = await pool.run(host, { line: 'echo', stdin: 'x'.repeat(300_000), timeout: 5_000 });

    expect(answer.exitCode).toBe(3);
    expect(answer.stdout).toHaveLength(300_000);
    expect(answer.stderr).toBe('echo');
  });

  it('uses one connection and at most eight channels', async () => {
    let open = 0;
    let most = 0;
    server.onCommand = (_, channel) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        channel.exit(0);
        channel.end();
      }, 50);
    };
    await Promise.all(Array.from({ length: 40 }, () => run('true')));

    expect(server.connections).toBe(1);
    expect(most).toBe(8);
  });

  it('never logs in where the key is not the pinned one', async () => {
    const wrong = { ...host, hostKeys: ['ED25519:SHA256:somebody-else'] };

    await expect(pool.check(wrong)).rejects.toMatchObject({ code: 'shell.host-key-mismatch' });
    const otherType = { ...host, hostKeys: ['RSA:SHA256:somebody-else'] };
    await expect(pool.check(otherType)).rejects.toMatchObject({ code: 'shell.host-key-mismatch' });
    expect(server.logins).toBe(0);
  });

  it('does not reuse a connection when the pin changed', async () => {
    await pool.check(host);
    const repinned = { ...host, hostKeys: ['ED25519:SHA256:somebody-else'] };

    await expect(pool.check(repinned)).rejects.toMatchObject({ code: 'shell.host-key-mismatch' });
  });

  it('tells a refused login from a host that does not answer', async () => {
    const stranger = { ...host, privateKey: generateKeyPair('stranger').privateKey };
    await expect(pool.check(stranger)).rejects.toMatchObject({ code: 'shell.auth-failed' });
    await expect(pool.check({ ...host, privateKey: 'no key' })).rejects.toMatchObject({
      code: 'shell.auth-failed',
    });
    server.close();
    await expect(pool.check(host)).rejects.toMatchObject({ code: 'shell.unreachable' });
  });

  it('interrupts commands when the connection dies, and connects anew', async () => {
    server.onCommand = () => {
      server.reset();
    };
    await expect(run('sleep')).rejects.toMatchObject({ code: 'shell.interrupted' });
    server.onCommand = new SshServer().onCommand;
    expect((await run('true')).exitCode).toBe(0);
    expect(server.connections).toBe(2);
  });

  it('notices a silent host within seconds', async () => {
    server.onCommand = () => {
      server.hang();
    };
    const began = performance.now();
    await expect(run('sleep', 60_000)).rejects.toMatchObject({ code: 'shell.interrupted' });
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  it('ends a command that takes too long', async () => {
    server.onCommand = () => undefined;
    await expect(run('sleep', 50)).rejects.toMatchObject({ code: 'shell.interrupted' });
  });

  it('takes a death by signal for an unknown end', async () => {
    server.onCommand = (_, channel) => {
      channel.exit('KILL');
      channel.end();
    };
    await expect(run('suicide')).rejects.toMatchObject({ code: 'shell.interrupted' });
  });

  it('stops reading a command that answers without end', async () => {
    server.onCommand = (_, channel) => {
      const chunk = Buffer.alloc(1024 * 1024);
      const pour = () => {
        while (channel.write(chunk));
        channel.once('drain', pour);
      };
      pour();
    };
    await expect(run('yes')).rejects.toMatchObject({ code: 'shell.host-failed' });
  });

  it('keeps connections to ports without taking a channel from commands', async () => {
    const ports: number[] = [];
    server.onConnect = (port, channel) => {
      ports.push(port);
      channel.on('data', (chunk: Buffer) => channel.write(chunk));
    };
    const kept = await Promise.all(Array.from({ length: 12 }, (_, i) => pool.connect(host, 3_300 + i)));
    kept[0]!.write('hello');

    expect(String((await once(kept[0]!, 'data'))[0])).toBe('hello');
    expect((await run('true')).exitCode).toBe(0);
    expect(ports).toEqual(Array.from({ length: 12 }, (_, i) => 3_300 + i));
    expect(server.connections).toBe(1);
    const closed = once(kept[11]!.resume(), 'close');
    server.reset();
    await closed;
  });

  it('tells a port where nothing listens from a host that does not answer', async () => {
    await expect(pool.connect(host, 3_307)).rejects.toMatchObject({ code: 'shell.refused' });
    server.close();
    await expect(pool.connect(host, 3_307)).rejects.toMatchObject({ code: 'shell.unreachable' });
  });

  it('fails what waits when told to disconnect', async () => {
    server.onCommand = () => {
      pool.disconnect(host.address);
    };
    await expect(run('sleep')).rejects.toMatchObject({ code: 'shell.interrupted' });
  });
});
