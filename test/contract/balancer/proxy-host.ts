/** A host of the lab that runs HAProxy and three small applications to stand behind it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HaproxyProxies } from '../../../controller/balancer/haproxy.ts';
import { frontEndLayout, localProxyLayout } from '../../../controller/balancer/layout.ts';
import type { ProxyModel } from '../../../controller/balancer/model.ts';
import type { Proxy } from '../../../controller/balancer/port.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { pinsOf } from '../../../controller/shell/host-key.ts';
import { SshShell } from '../../../controller/shell/jobs.ts';
import type { Host } from '../../../controller/shell/port.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';
import { LabUnderTest } from '../../lab/hosts/lab.ts';
import { models } from '../../unit/balancer/models.ts';
import type { ProxyFixture } from './suite.ts';

/** Of the applications. */
export const ports = [9001, 9002, 9003] as const;
const key = generateKeyPair('contract');

/** Answers its port; 503 to everything while /tmp/sick-<port> exists. Ports 9100 and 9101 answer each line with itself. */
const application = String.raw`
import os, socket, threading
def serve(port, answer):
    listener = socket.create_server(('127.0.0.1', port), backlog=128)
    def talk(peer):
        with peer, peer.makefile('rb') as lines:
            try:
                for line in lines: answer(peer, port, line, lines)
            except OSError: pass
    while True: threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
def page(peer, port, line, lines):
    while lines.readline().strip(): pass
    status = '503 Sick' if os.path.exists('/tmp/sick-%d' % port) else '200 OK'
    peer.sendall(b'HTTP/1.1 %s\r\nContent-Length: 4\r\n\r\n%d' % (status.encode(), port))
def echo(peer, port, line, lines): peer.sendall(b'%d %s' % (port, line))
for port in (9001, 9002, 9003): threading.Thread(target=serve, args=(port, page)).start()
threading.Thread(target=serve, args=(9101, echo)).start()
serve(9100, echo)
`;

const userData = `#!/bin/bash
echo '${key.publicKey}' >> /home/admin/.ssh/authorized_keys
cat > /root/application.py <<'PYTHON'
${application}
PYTHON
systemd-run --unit application python3 /root/application.py
`;

type Machine = Awaited<ReturnType<LabUnderTest['boot']>>;

export class ProxyHost {
  readonly #lab: LabUnderTest;
  readonly #machine: Machine;
  readonly #host: Host;
  readonly #shell = new SshShell();
  readonly #proxies = new HaproxyProxies(this.#shell, systemClock);

  private constructor(lab: LabUnderTest, machine: Machine, host: Host) {
    this.#lab = lab;
    this.#machine = machine;
    this.#host = host;
  }

  /** Boots one from this image; the caller ends it. */
  static async boot(imageID: string): Promise<ProxyHost> {
    const lab = await LabUnderTest.start();
    try {
      const machine = await lab.boot(userData, { ImageId: imageID });
      const hostKeys = pinsOf(await lab.ssh(machine, 'cat /etc/ssh/ssh_host_*_key.pub'));
      const login = { address: machine.ip, port: 22, user: 'admin', privateKey: key.privateKey };
      return new ProxyHost(lab, machine, { ...login, hostKeys });
    } catch (error) {
      await lab.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    this.#proxies.close();
    this.#shell.close();
    await this.#lab.end();
  }

  /** Of the front end. */
  get proxy(): Proxy {
    return this.#proxies.of(this.#host, frontEndLayout);
  }

  /** The second instance, for clients on the host itself. */
  get localProxy(): Proxy {
    return this.#proxies.of(this.#host, localProxyLayout);
  }

  get url(): string {
    return `http://${this.#machine.ip}/`;
  }

  async asRoot(command: string): Promise<string> {
    return await this.#lab.asRoot(this.#machine, command);
  }

  /** The port that answers a visitor; 0 when nothing good comes. */
  async page(): Promise<number> {
    try {
      const answer = await fetch(this.url, {
        signal: AbortSignal.timeout(3_000),
        headers: { connection: 'close' },
      });
      const text = await answer.text();
      return answer.ok ? Number(text) : 0;
    } catch {
      return 0;
    }
  }

  /** For the shared suite. */
  fixture(): ProxyFixture {
    return {
      proxy: this.proxy,
      ports,
      setHealthy: async (port, healthy) => {
        await this.asRoot(`${healthy ? 'rm -f' : 'touch'} /tmp/sick-${port}`);
      },
      edit: async (line) => {
        await this.asRoot(`echo '${line}' >> ${frontEndLayout.configFile}`);
      },
      ask: async (requests) => {
        const answers: number[] = [];
        for (let i = 0; i < requests; i++) answers.push(await this.page());
        return new Set(answers);
      },
      pass: () => sleep(100),
      close: async () => undefined,
    };
  }

  /** What `haproxy -c` says of a model's file. */
  async check(model: ProxyModel): Promise<string> {
    const { layout } = model;
    const { text, sideFiles } = renderConfig(model);
    const put = (content: string, file: string) =>
      `echo ${Buffer.from(content).toString('base64')} | base64 -d > ${file}`;
    const pem =
      'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout /tmp/k -out /tmp/c 2>/dev/null';
    const side = sideFiles.map((file) =>
      file.name.endsWith('.pem')
        ? `${pem}; cat /tmp/c /tmp/k > ${layout.directory}/${file.name}`
        : put(file.content, `${layout.directory}/${file.name}`),
    );
    const ready = [
      `mkdir -p ${layout.directory}`,
      `touch ${layout.directory}/flags.map`,
      `[ -e ${layout.stateFile} ] || echo 1 > ${layout.stateFile}`,
    ];
    return await this.asRoot(
      [...ready, ...side, put(text, '/tmp/golden.cfg'), 'haproxy -c -f /tmp/golden.cfg 2>&1'].join('; '),
    );
  }
}

/** HAProxy of a host takes every golden file. */
export function describeGoldenFiles(site: () => ProxyHost): void {
  describe('every golden file', () => {
    it.each(Object.keys(models))('%s is accepted without a warning', async (name) => {
      expect(await site().check(models[name]!)).not.toMatch(/WARNING|ALERT/);
    });
  });
}
