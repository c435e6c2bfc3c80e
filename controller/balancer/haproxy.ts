/** Proxy over SSH: runtime commands through one open channel, everything about files through one script. */
import type { Millis } from '../base/clock.ts';
import { pack } from '../base/archive.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Host, Remote } from '../shell/port.ts';
import { applyExit, applyScript } from './apply-script.ts';
import type { Layout } from './layout.ts';
import type { Backend, ProxyServer } from './model.ts';
import {
  parseFile,
  parseInfo,
  parseOldWorkers,
  parseServersState,
  parseStat,
  type ServerLoad,
} from './parse.ts';
import type { FileChange, FileOutcome, Observation, Proxies, Proxy } from './port.ts';
import { checkParameters, serverParameters } from './render.ts';
import { RuntimeSocket } from './runtime-socket.ts';

const scriptTimeout: Millis = 60_000;
/** First check of a new server: it decides how soon traffic may come. */
const firstCheck: Millis = 200;
/** What may stand in a command or in the file; `;` and newline would start another command. */
const safeWord = /^[A-Za-z0-9._:-]+$/;
/** HAProxy is silent when all is well; these say the same in words. */
const goodAnswers = [/^$/, /^New server registered\.$/, /^no need to change/i, /^weight .*changed/i];

/** Digest, file and old workers' loads in one go; a section each. */
const lookScript = String.raw`config=$1 master=$2
sha256sum < "$config" 2>/dev/null | cut -d' ' -f1
echo '--- file'
cat "$config" 2>/dev/null
echo '--- workers'
ask() { printf '%s\n' "$1" | socat -t5 - "UNIX-CONNECT:$master" 2>/dev/null; }
workers=$(ask 'show proc')
printf '%s\n' "$workers"
for pid in $(printf '%s\n' "$workers" | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p'); do
  echo '--- old'
  ask "@!$pid show stat"
done`;

export class HaproxyProxies implements Proxies {
  readonly #remote: Remote;
  readonly #proxies = new Map<string, { readonly host: Host; readonly proxy: HaproxyProxy }>();

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  of(host: Host, layout: Layout): Proxy {
    const id = `${host.address} ${layout.unit}`;
    const known = this.#proxies.get(id);
    if (known?.host.hostKeys.join() === host.hostKeys.join()) return known.proxy;
    known?.proxy.close();
    const proxy = new HaproxyProxy(this.#remote, host, layout);
    this.#proxies.set(id, { host, proxy });
    return proxy;
  }

  /** Closes the command channels; the HAProxies go on. */
  close(): void {
    for (const { proxy } of this.#proxies.values()) proxy.close();
  }
}

class HaproxyProxy implements Proxy {
  readonly #remote: Remote;
  readonly #host: Host;
  readonly #layout: Layout;
  #socket: RuntimeSocket | undefined;

  constructor(remote: Remote, host: Host, layout: Layout) {
    this.#remote = remote;
    this.#host = host;
    this.#layout = layout;
  }

  async observe(): Promise<Observation> {
    const { configFile, masterSocket } = this.#layout;
    const { stdout } = await this.#script(lookScript, [configFile, masterSocket], '');
    const [digest = '', file = '', workers = '', ...old] = stdout.split(/^--- (?:file|workers|old)\n/m);
    const facts = { fileDigest: digest.trim(), file: parseFile(file) };
    // Without a master nothing answers on the admin socket either.
    if (!workers.includes('master')) return facts;
    const [info, state, stat] = await Promise.all([
      this.#ask('show info'),
      this.#ask('show servers state'),
      this.#ask('show stat'),
    ]);
    const process = parseInfo(info);
    // A channel opened before a reload goes on talking to the old worker.
    if (parseOldWorkers(workers).includes(process.pid)) {
      this.close();
      return await this.observe();
    }
    return {
      ...facts,
      running: { info: process, servers: parseServersState(state), loads: sumLoads([stat, ...old]) },
    };
  }

  async write(change: FileChange): Promise<FileOutcome> {
    const { unit, configFile, directory, adminSocket, masterSocket, stateFile } = this.#layout;
    const side = Object.entries(change.sideFiles).map(([name, { content }]) => ({
      path: `side/${name}`,
      content,
    }));
    const archive = pack([{ path: 'haproxy.cfg', content: change.text }, ...side]);
    const files = [unit, configFile, directory, adminSocket, masterSocket, stateFile];
    const mode = change.reload ? 'reload' : 'keep';
    const began = performance.now();
    const answer = await this.#script(applyScript, [...files, change.expected, change.base, mode], archive);
    // The next command must reach the new worker.
    if (change.reload) this.close();
    const message = answer.stderr.trim();
    switch (answer.exitCode) {
      case applyExit.applied:
        return {
          result: 'applied',
          reloadMilliseconds: change.reload ? Math.round(performance.now() - began) : 0,
        };
      case applyExit.drifted:
        return { result: 'drifted' };
      case applyExit.rejected:
        return { result: 'rejected', message };
      case applyExit.unbindable:
        return { result: 'unbindable', message };
      case applyExit.rolledBack:
        return { result: 'rolled-back', message };
      default:
        throw new AppError(
          'shell.host-failed',
          `${this.#host.address} could not take its configuration: ${message}`,
        );
    }
  }

  async add(backend: Backend, server: ProxyServer): Promise<void> {
    const id = nameOf(backend.name, server.name);
    const check = checkParameters(backend.check, Math.min(firstCheck, backend.check.periodMilliseconds));
    const target = `${word(server.address)}:${server.port}`;
    await this.#order(`add server ${id} ${target} ${check} ${serverParameters(server)}`);
    await this.#order(`enable health ${id}`);
    await this.#gate(id);
  }

  async revive(backend: string, server: string): Promise<void> {
    await this.#gate(nameOf(backend, server));
  }

  async admit(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state ready`);
  }

  async drain(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state drain`);
  }

  async retire(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state maint`);
  }

  async cutSessions(backend: string, server: string): Promise<void> {
    const id = nameOf(backend, server);
    // `shutdown sessions server` freezes connecting clients on 3.0: end each session by its id instead.
    const { stdout } = await this.#script(
      cutScript,
      [this.#layout.adminSocket, this.#layout.masterSocket, id],
      '',
    );
    if (stdout.includes('left'))
      throw new AppError('shell.host-failed', `sessions of ${id} could not be ended`);
  }

  async weigh(backend: string, server: string, weight: number): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} weight ${weight}`);
  }

  async setMaintenance(on: boolean): Promise<void> {
    const map = `${this.#layout.directory}/flags.map`;
    await this.#order(`set map ${map} maintenance ${on ? 'on' : 'off'}`);
  }

  async endOldWorkers(): Promise<number> {
    const { stdout } = await this.#script(endScript, [this.#layout.masterSocket], '');
    return Number(stdout.trim());
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Drained and down until the check passes: the same for a new server and for one that comes back. */
  async #gate(id: string): Promise<void> {
    await this.#order(`set server ${id} state drain`);
    await this.#order(`set server ${id} health down`);
  }

  async #order(line: string): Promise<void> {
    const answer = await this.#ask(line);
    if (goodAnswers.some((good) => good.test(answer))) return;
    throw new AppError('proxy.refused', `HAProxy on ${this.#host.address} answered '${answer}' to '${line}'`);
  }

  /** One command; a channel that died since its last use is opened again, once. */
  async #ask(line: string): Promise<string> {
    try {
      return await (await this.#open()).command(line);
    } catch (error) {
      if (!hasCode(error, 'shell.interrupted')) throw error;
      this.close();
      return await (await this.#open()).command(line);
    }
  }

  async #open(): Promise<RuntimeSocket> {
    if (this.#socket?.isOpen === true) return this.#socket;
    const words = ['socat', '-', `UNIX-CONNECT:${this.#layout.adminSocket}`];
    this.#socket = new RuntimeSocket(await this.#remote.openAsRoot(this.#host, words));
    return this.#socket;
  }

  async #script(script: string, words: readonly string[], stdin: Uint8Array | string) {
    const command = ['/bin/bash', '-c', script, 'ridgeline', ...words];
    return await this.#remote.runAsRoot(this.#host, command, { stdin, timeout: scriptTimeout });
  }
}

/** Ends every session on one server, in the current and the old workers. */
const cutScript = String.raw`admin=$1 master=$2 id=$3
ask() { printf '%s\n' "$2" | socat -t5 - "UNIX-CONNECT:$1" 2>/dev/null; }
sessions() { grep "srv=$server " | sed -n 's/^\(0x[0-9a-f]*\):.*/\1/p'; }
server=${'${id#*/}'}
for session in $(ask "$admin" 'show sess' | sessions); do ask "$admin" "shutdown session $session"; done
for pid in $(ask "$master" 'show proc' | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p'); do
  for session in $(ask "$master" "@!$pid show sess" | sessions); do ask "$master" "@!$pid shutdown session $session"; done
done
sleep 0.1
[ -z "$(ask "$admin" 'show sess' | sessions)" ] || echo left`;

/** TERM to every old worker until none is left; prints how many there were. */
const endScript = String.raw`master=$1 count=0
old() { printf 'show proc\n' | socat -t5 - "UNIX-CONNECT:$master" 2>/dev/null | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p'; }
for _ in $(seq 100); do
  pids=$(old)
  [ -n "$pids" ] || break
  for pid in $pids; do kill -TERM "$pid" 2>/dev/null && count=$((count + 1)); done
  sleep 0.05
done
echo "$count"`;

function nameOf(backend: string, server: string): string {
  return `${word(backend)}/${word(server)}`;
}

function word(text: string): string {
  if (safeWord.test(text)) return text;
  throw new AppError('invariant', `'${text}' may not stand in a HAProxy command`);
}

/** Current worker first; the sessions that old workers still carry are added to it. */
function sumLoads(stats: readonly string[]): readonly ServerLoad[] {
  const [current = [], ...old] = stats.map(parseStat);
  return current.map((load) => {
    const others = old.flat().filter(({ backend, name }) => backend === load.backend && name === load.name);
    return others.reduce(
      (sum, other) => ({ ...sum, current: sum.current + other.current, queued: sum.queued + other.queued }),
      load,
    );
  });
}
