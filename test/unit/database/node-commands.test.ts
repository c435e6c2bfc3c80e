/** The node script's exits and words become results and errors; what it is told is what was meant. */
import { describe, expect, it } from 'vitest';
import { NodeCommands } from '../../../controller/database/node-commands.ts';
import { SshWitness } from '../../../controller/database/witness.ts';
import type { Host, Remote } from '../../../controller/shell/port.ts';
import { stamp } from '../../builders/stamp.ts';

const host: Host = { address: '10.0.0.1', port: 22, user: 'admin', privateKey: '', hostKeys: ['x'] };

function answering(answer: { exitCode?: number; stdout?: string; stderr?: string }) {
  const calls: { readonly words: readonly string[]; readonly stdin: string }[] = [];
  const remote: Remote = {
    runAsRoot: async (_host, words, { stdin = '' }) => {
      calls.push({ words, stdin: String(stdin) });
      return { exitCode: 0, stdout: '', stderr: '', ...answer };
    },
    openAsRoot: () => Promise.reject(new Error('not asked for')),
    connect: () => Promise.reject(new Error('not asked for')),
  };
  return { calls, remote, commands: new NodeCommands(remote, host, 'db-1', "SET SESSION sql_mode = '';") };
}

describe('NodeCommands', () => {
  it('runs SQL under an epoch, in a session that says first what it needs', async () => {
    const { commands, calls } = answering({ stdout: 'a\nb\n' });
    expect(await commands.sql('SELECT 1;', stamp(7), 1_500)).toEqual(['a', 'b']);
    expect(calls[0]).toEqual({
      words: ['/usr/local/sbin/ridgeline-node', '7.0', 'sql', '1.5'],
      stdin: "SET SESSION sql_mode = '';\nSELECT 1;\n",
    });
    await commands.sql('SELECT 1;', undefined, 1_500);
    expect(calls[1]!.words[1]).toBe('-');
  });

  it.each([
    [77, 'this host has seen orders of epoch 8, serial 0, not 7.0', 'database.stale-epoch'],
    [75, 'another call holds the lock for 2 s', 'database.silent'],
    [124, '', 'database.silent'],
    [70, 'cannot mask mariadb.service', 'shell.host-failed'],
    [127, 'bash: ridgeline-node: not found', 'shell.host-failed'],
    [1, 'ERROR 1290 (HY000) at line 2: read-only', 'database.failed'],
    [1, "ERROR 2002 (HY000): Can't connect", 'database.refused'],
  ])('takes exit %i with "%s" for %s', async (exitCode, stderr, code) => {
    const { commands } = answering({ exitCode, stderr });
    await expect(commands.sql('SELECT 1;', stamp(7), 1_000)).rejects.toMatchObject({ code });
  });

  it('does not mind sessions that ended by themselves, and ends none when there is none', async () => {
    const gone = 'ERROR 1094 (HY000) at line 2: Unknown thread id: 5\n';
    const { commands, calls } = answering({ exitCode: 0, stderr: gone });
    await commands.endSessions(['KILL 5;'], stamp(7), 1_000);
    await commands.endSessions([], stamp(7), 1_000);
    expect(calls).toHaveLength(1);
  });

  it('goes on with the others where one statement fails, and tells of the first', async () => {
    const stderr = 'ERROR 1589 (HY000) at line 2: Event execution time is in the past\n';
    const { commands, calls } = answering({ stderr });
    const failure = await commands.tryEach(['ALTER A;', 'ALTER B;'], stamp(7), 1_000);
    expect(failure?.message).toBe('db-1: 1589: Event execution time is in the past');
    expect(calls[0]?.words).toEqual(['/usr/local/sbin/ridgeline-node', '7.0', 'try', '1']);
    expect(calls[0]?.stdin).toBe("SET SESSION sql_mode = '';\nALTER A;\nALTER B;\n");
    expect(await answering({}).commands.tryEach(['ALTER A;'], stamp(7), 1_000)).toBeUndefined();
  });

  it('reads what the host says of the process and its disk', async () => {
    const { commands } = answering({ stdout: '1 87 0\n' });
    expect(await commands.inspect(1_000)).toEqual({ running: true, diskUsed: 0.87, diskReadOnly: false });
    await expect(answering({ stdout: 'what?' }).commands.inspect(1_000)).rejects.toThrow("answered 'what?'");
  });

  it('has what was received copied to a folder of the epoch', async () => {
    const { commands, calls } = answering({});
    await commands.setAside('/var/lib/mysql/relay', stamp(7));
    const folder = '/var/lib/ridgeline/set-aside/epoch-7';
    expect(calls[0]?.words.slice(1)).toEqual(['7.0', 'set-aside', '/var/lib/mysql/relay', folder]);
  });

  it('tells whether a certificate is new', async () => {
    expect(await answering({ stdout: 'new\n' }).commands.trust('PEM', stamp(7))).toBe(true);
    expect(await answering({}).commands.trust('PEM', stamp(7))).toBe(false);
  });
});

describe('SshWitness', () => {
  const reaches = (answer: Parameters<typeof answering>[0]) =>
    new SshWitness(answering(answer).remote, host).reaches('10.0.0.2', 1_000);

  it('reaches a server that greets, and none that refuses or is silent', async () => {
    expect(await reaches({ stdout: 'yes\n' })).toBe(true);
    expect(await reaches({ exitCode: 1 })).toBe(false);
    expect(await reaches({ exitCode: 124 })).toBe(false);
  });

  it('does not take a host that cannot look for an answer', async () => {
    await expect(reaches({ exitCode: 127, stderr: 'no bash' })).rejects.toMatchObject({
      code: 'shell.host-failed',
    });
  });
});
