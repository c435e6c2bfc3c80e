/** The fake shell keeps the contract the real one keeps. */

import { describeShell, scripts } from '../../contract/shell/suite.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeShell } from '../../fakes/shell.ts';

describeShell('fake shell', async () => {
  const clock = new FakeClock();
  const shell = new FakeShell(clock);
  const host = {
    address: '10.77.0.9',
    port: 22,
    user: 'admin',
    privateKey: '',
    hostKeys: ['ED25519:SHA256:x'],
  };
  shell.addHost(host.address, host.hostKeys);
  shell.script(scripts.greet, ({ environment }) => ({
    lines: [`hello ${environment['NAME']}`, 'problem'],
  }));
  shell.script(scripts.fail, { exitCode: 3, lines: ['no'] });
  shell.script(scripts.slow, { takes: 30_000, lines: ['begun'] });
  return {
    shell,
    host,
    deadAddress: '10.77.0.10',
    pass: () => clock.advance(500),
    reboot: async () => {
      shell.reboot(host.address);
    },
    close: async () => undefined,
  };
});
