/** Proxy over SSH: runtime commands through one open channel, everything about files through one script. */

import { packArchive } from '../base/archive.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Host, Remote } from '../shell/port.ts';
import { applyExit, applyScript } from './apply-script.ts';
import { safeWord } from './config-syntax.ts';
import type { Layout } from './layout.ts';
import { type Look, lookScript, readLook } from './look.ts';
import type { CheckedBackend, ProxyServer } from './model.ts';
import {
  parseInfo,
  parseMaintenance,
  parseServers,
  parseTraffic,
  type Stranger,
  sumStatistics,
} from './parse.ts';
import type {
  FileChange,
  FileOutcome,
  Observation,
  Proxies,
  Proxy,
  ProxyProcess,
  ServerName,
} from './port.ts';
import { checkParameters, flagsFile, serverParameters, targetOf } from './render.ts';
import { RuntimeSocket } from './runtime-socket.ts';

const scriptTimeout: Millis = 60_000;
/** First check of a new server: it decides how soon traffic may come. One that stays sick is asked as often. */
const firstCheck: Millis = 100;
/** Who else listens is dear to find out: not with every look while servers come and go. */
const strangersPeriod: Millis = 1_000;
/** How often the process is asked whether a check has passed. */
const checkPause: Millis = 25;
/** HAProxy is silent when all is well; these say the same in words. */
const goodAnswers = [/^$/, /^New server registered\.$/, /^no need to change/i];

/** One Proxy per host and layout, with its channel kept open; another pinned key makes a new one. */
export class HaproxyProxies implements Proxies {
  readonly #remote: Remote;
  readonly #clock: Clock;
  readonly #proxies = new Map<string, { readonly host: Host; readonly proxy: HaproxyProxy }>();

  constructor(remote: Remote, clock: Clock) {
    this.#remote = remote;
    this.#clock = clock;
  }

  of(host: Host, layout: Layout): Proxy {
    const id = `${host.address} ${layout.unit}`;
    const known = this.#proxies.get(id);
    if (known?.host.hostKeys.join() === host.hostKeys.join()) return known.proxy;
    known?.proxy.close();
    const proxy = new HaproxyProxy({ remote: this.#remote, clock: this.#clock }, host, layout);
    this.#proxies.set(id, { host, proxy });
    return proxy;
  }

  /** Closes the command channels; the HAProxies go on. */
  close(): void {
    for (const { proxy } of this.#proxies.values()) proxy.close();
  }
}

interface ProxyPorts {
  readonly remote: Remote;
  readonly clock: Clock;
}

class HaproxyProxy implements Proxy {
  readonly #remote: Remote;
  readonly #clock: Clock;
  readonly #host: Host;
  readonly #layout: Layout;
  #socket: Promise<RuntimeSocket> | undefined;
  #strangers: { readonly found: readonly Stranger[]; readonly staleAt: Millis } = { found: [], staleAt: 0 };

  constructor({ remote, clock }: ProxyPorts, host: Host, layout: Layout) {
    this.#remote = remote;
    this.#clock = clock;
    this.#host = host;
    this.#layout = layout;
  }

  async observe(): Promise<Observation> {
    const { configFile, directory, masterSocket, unit, guardsPorts } = this.#layout;
    const asksPorts = guardsPorts && this.#clock.monotonic() >= this.#strangers.staleAt;
    const words = [configFile, flagsFile(directory), masterSocket, asksPorts ? unit : ''];
    const look = readLook((await this.#script(lookScript, words)).stdout);
    if (asksPorts)
      this.#strangers = { found: look.strangers, staleAt: this.#clock.monotonic() + strangersPeriod };
    const { fileDigest, file, maintenance } = look;
    const seen = { fileDigest, file, maintenance, strangers: this.#strangers.found };
    const running = look.isRunning ? await this.#process(look) : undefined;
    return { ...seen, ...(running === undefined ? {} : { running }) };
  }

  async write(change: FileChange): Promise<FileOutcome> {
    const { config, expected, reload, setAside } = change;
    const { unit, unitText, configFile, directory, adminSocket, masterSocket, stateFile } = this.#layout;
    const archive = packArchive([
      { path: 'haproxy.cfg', content: config.text },
      ...(unitText === undefined ? [] : [{ path: 'unit', content: unitText }]),
      ...config.sideFiles.map(({ name, content }) => ({ path: `side/${name}`, content })),
    ]);
    const files = [unit, configFile, directory, adminSocket, masterSocket, stateFile];
    const how = [expected, config.base, reload ? 'reload' : 'keep', setAside ? 'aside' : 'replace'];
    const began = this.#clock.monotonic();
    const { exitCode, stderr } = await this.#script(applyScript, [...files, ...how], archive);
    const milliseconds = Math.round(this.#clock.monotonic() - began);
    // The next command must reach the new worker.
    if (reload) this.close();
    return this.#outcome(exitCode, stderr.trim(), reload ? milliseconds : 0);
  }

  async add(backend: CheckedBackend, server: ProxyServer): Promise<void> {
    const id = nameOf(backend.name, server.name);
    const check = checkParameters(backend.check, Math.min(firstCheck, backend.check.periodMilliseconds));
    // Alone: one that is there already must not be drained.
    await this.#order(`add server ${id} ${targetOf(server)} ${check} ${serverParameters(server)}`);
    await Promise.all([this.#order(`enable health ${id}`), this.#gate(id)]);
  }

  async revive(backend: string, server: string): Promise<void> {
    await this.#gate(nameOf(backend, server));
  }

  async admit(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state ready`);
  }

  async admitWhenUp(servers: readonly ServerName[], limit: Millis): Promise<void> {
    const deadline = this.#clock.monotonic() + limit;
    const waiting = new Set(servers.map(({ backend, server }) => nameOf(backend, server)));
    for (;;) {
      const [state, stat] = await Promise.all([this.#ask('show servers state'), this.#ask('show stat')]);
      for (const { backend, name, admin, up } of parseServers(state, stat)) {
        const id = nameOf(backend, name);
        if (admin !== 'drain' || !up || !waiting.delete(id)) continue;
        await this.admit(backend, name);
      }
      if (waiting.size === 0 || this.#clock.monotonic() >= deadline) return;
      await this.#clock.sleep(checkPause);
    }
  }

  async drain(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state drain`);
  }

  async retire(backend: string, server: string): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} state maint`);
  }

  async weigh(backend: string, server: string, weight: number): Promise<void> {
    await this.#order(`set server ${nameOf(backend, server)} weight ${weight}`);
  }

  async limit(backend: string, server: string, connections: number): Promise<void> {
    await this.#order(`set maxconn server ${nameOf(backend, server)} ${connections}`);
  }

  async setMaintenance(on: boolean): Promise<void> {
    const map = flagsFile(this.#layout.directory);
    const value = on ? 'on' : 'off';
    // First the file: a process that starts in between reads it.
    const { exitCode, stderr } = await this.#script(flagScript, [map, value]);
    if (exitCode !== 0) throw new AppError('shell.host-failed', `${this.#host.address}: ${stderr.trim()}`);
    await this.#order(`set map ${map} maintenance ${value}`);
  }

  async endOldWorkers(): Promise<number> {
    const { exitCode, stdout, stderr } = await this.#script(endScript, [this.#layout.masterSocket]);
    if (exitCode !== 0) throw new AppError('proxy.refused', `${this.#host.address}: ${stderr.trim()}`);
    return Number(stdout.trim());
  }

  close(): void {
    this.#socket?.then((socket) => socket.close()).catch(() => undefined);
    this.#socket = undefined;
  }

  async #process(look: Look): Promise<ProxyProcess> {
    const { workers, old } = look;
    const map = flagsFile(this.#layout.directory);
    const [info, state, stat, flags] = (await Promise.all(
      ['show info', 'show servers state', 'show stat', `show map ${map}`].map((line) => this.#ask(line)),
    )) as [string, string, string, string];
    const process = parseInfo(info);
    if (workers.includes(process.pid)) {
      // A channel that was opened before a reload goes on talking to the old worker.
      this.close();
      return await this.#process({ ...look, workers: [] });
    }
    const { servers: loads, clients } = sumStatistics([stat, ...old]);
    const maintenance = parseMaintenance(flags);
    return {
      ...process,
      maintenance,
      servers: parseServers(state, stat),
      loads,
      clients,
      traffic: parseTraffic(stat),
    };
  }

  #outcome(exitCode: number, message: string, reloadMilliseconds: number): FileOutcome {
    switch (exitCode) {
      case applyExit.applied:
        return { result: 'applied', reloadMilliseconds };
      case applyExit.drifted:
        return { result: 'drifted' };
      case applyExit.rejected:
        return { result: 'rejected', message };
      case applyExit.unbindable:
        return { result: 'unbindable', message };
      case applyExit.rolledBack:
        return { result: 'rolled-back', message };
      case applyExit.stale:
        return { result: 'stale', message };
      default:
        throw new AppError('shell.host-failed', `${this.#host.address} cannot change HAProxy: ${message}`);
    }
  }

  /** Drained and down until the check passes: the same for a new server and for one that comes back. */
  async #gate(id: string): Promise<void> {
    await Promise.all([
      this.#order(`set server ${id} state drain`),
      this.#order(`set server ${id} health down`),
    ]);
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
      return await (await this.#open()).command(line);
    }
  }

  /** One channel, however many ask at once: a host has few of them. */
  async #open(): Promise<RuntimeSocket> {
    const known = this.#socket;
    if (known !== undefined && (await known.then((socket) => socket.isOpen).catch(() => false)))
      return await known;
    // Somebody else may have opened one meanwhile.
    if (this.#socket === known || this.#socket === undefined) this.#socket = this.#connect();
    return await this.#socket;
  }

  async #connect(): Promise<RuntimeSocket> {
    const words = ['socat', '-', `UNIX-CONNECT:${this.#layout.adminSocket}`];
    return new RuntimeSocket(await this.#remote.openAsRoot(this.#host, words));
  }

  async #script(script: string, words: readonly string[], stdin: Uint8Array | string = '') {
    const command = ['/bin/bash', '-c', script, 'ridgeline', ...words];
    return await this.#remote.runAsRoot(this.#host, command, { stdin, timeout: scriptTimeout });
  }
}

/** Replaces the map of flags. */
const flagScript = String.raw`mkdir -p "$(dirname "$1")" && printf 'maintenance %s\n' "$2" > "$1.new" && mv "$1.new" "$1"`;

/** TERM to every old worker, then KILL, until none is left; prints how many there were. */
const endScript = String.raw`master=$1 ended=
ask() { printf 'show proc\n' | timeout 1 socat -t1 - "UNIX-CONNECT:$master" 2>/dev/null; }
for round in $(seq 100); do
  # While it takes up a reload the master does not answer, which is not the same as having no old workers.
  processes=$(ask)
  case $processes in *'# workers'*) ;; *) sleep 0.05; continue ;; esac
  pids=$(printf '%s\n' "$processes" | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p')
  [ -n "$pids" ] || { printf '%s\n' $ended | sort -u | grep -c .; exit 0; }
  ended="$ended $pids"
  signal=TERM
  [ "$round" -lt 40 ] || signal=KILL
  kill "-$signal" $pids 2>/dev/null
  sleep 0.05
done
echo 'HAProxy does not say that its old workers have ended' >&2
exit 1`;

function nameOf(backend: string, server: string): string {
  return `${safeWord(backend)}/${safeWord(server)}`;
}
