/** One HAProxy on one host as kinds see it: look at it, change it at runtime, replace its file. Types only. */
import type { Millis } from '../base/clock.ts';
import type { Host } from '../shell/port.ts';
import type { Layout } from './layout.ts';
import type { CheckedBackend, ProxyServer } from './model.ts';
import type { FileFacts, ProcessInfo, RunningServer, ServerLoad, Stranger, Traffic } from './parse.ts';
import type { RenderedConfig } from './render.ts';

/** Finds the Proxy of a host; it keeps the control channel open between calls. */
export interface Proxies {
  of(host: Host, layout: Layout): Proxy;
}

/** What one look saw of a host's file and process. */
export interface Observation {
  /** SHA-256 of the configuration file, hex; empty when there is no file. */
  readonly fileDigest: string;
  readonly file: FileFacts;
  /** What the file of flags says. */
  readonly maintenance: boolean;
  /** Absent when HAProxy does not run. */
  readonly running?: ProxyProcess;
  /** Processes that listen on ports of the file and are not this HAProxy; empty where the layout does not ask. */
  readonly strangers: readonly Stranger[];
}

export interface ProxyProcess extends ProcessInfo {
  /** The page is shown now. */
  readonly maintenance: boolean;
  readonly servers: readonly RunningServer[];
  /** Per server, the sum over this worker and the ones that reloads left behind. */
  readonly loads: readonly ServerLoad[];
  /** Connections of clients, over all workers. */
  readonly clients: number;
  /** Of this worker only. */
  readonly traffic: Traffic;
}

/** A file to put in place; refused when the one there is not the one that was expected. */
export interface FileChange {
  readonly config: RenderedConfig;
  /** Digest the file must still have, else nothing is written. */
  readonly expected: string;
  readonly reload: boolean;
  /** Keep a copy of the file that is replaced: it is not as we wrote it. */
  readonly setAside: boolean;
}

export interface ServerName {
  readonly backend: string;
  readonly server: string;
}

export type FileOutcome =
  | { readonly result: 'applied'; readonly reloadMilliseconds: number }
  /** Somebody else changed the file since it was observed. */
  | { readonly result: 'drifted' }
  /** `haproxy -c` refuses it; `message` quotes the line. Nothing changed. */
  | { readonly result: 'rejected'; readonly message: string }
  /** It is valid, but a new listener cannot be bound. Nothing changed. */
  | { readonly result: 'unbindable'; readonly message: string }
  /** HAProxy did not take it; the previous file is back and the previous worker serves. */
  | { readonly result: 'rolled-back'; readonly message: string }
  /** The host follows a later term; whoever decided this is behind. Nothing changed. */
  | { readonly result: 'stale'; readonly message: string };

/** Failures: those of Shell, and `proxy.refused` when HAProxy's answer to a command is not one of the good ones. */
export interface Proxy {
  observe(): Promise<Observation>;
  /** Writes, checks, probes new binds, keeps learned health, renames, reloads, confirms by hash; or leaves all as it was. */
  write(change: FileChange): Promise<FileOutcome>;
  /** Adds a server that gets no traffic: it counts as down until its own check passes. */
  add(backend: CheckedBackend, server: ProxyServer): Promise<void>;
  /** Brings a server out of maintenance the same way. */
  revive(backend: string, server: string): Promise<void>;
  admit(backend: string, server: string): Promise<void>;
  /** Lets each of these in as soon as its check passes; those that have not passed after `limit` are left as they are. */
  admitWhenUp(servers: readonly ServerName[], limit: Millis): Promise<void>;
  drain(backend: string, server: string): Promise<void>;
  /** Takes a drained server out for good; it stays in the process until the next reload. */
  retire(backend: string, server: string): Promise<void>;
  weigh(backend: string, server: string, weight: number): Promise<void>;
  /** Connections at a time; 0 = no limit. */
  limit(backend: string, server: string, connections: number): Promise<void>;
  /** Shows or hides the maintenance page, without a reload; it stays so after one. */
  setMaintenance(on: boolean): Promise<void>;
  /**
   * Ends the workers that reloads left behind, and with them every old session; resolves when none is left. Returns how
   * many there were.
   */
  endOldWorkers(): Promise<number>;
}
