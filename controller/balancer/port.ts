/** One HAProxy on one host as kinds see it: look at it, change it at runtime, replace its file. Types only. */
import type { Host } from '../shell/port.ts';
import type { Layout } from './layout.ts';
import type { Backend, ProxyServer } from './model.ts';
import type { FileFacts, ProcessInfo, RunningServer, ServerLoad } from './parse.ts';

/** Finds the Proxy of a host; it keeps the control channel open between calls. */
export interface Proxies {
  of(host: Host, layout: Layout): Proxy;
}

export interface Observation {
  /** SHA-256 of the configuration file, hex; empty when there is no file. */
  readonly fileDigest: string;
  readonly file: FileFacts;
  /** Absent when HAProxy does not run. */
  readonly running?: {
    readonly info: ProcessInfo;
    readonly servers: readonly RunningServer[];
    /** Per server, the sum over this worker and the ones that reloads left behind. */
    readonly loads: readonly ServerLoad[];
  };
}

/** Files that lie beside the configuration, by name under the layout's directory. */
export type SideFiles = Readonly<Record<string, { readonly content: string; readonly secret: boolean }>>;

export interface FileChange {
  readonly text: string;
  readonly base: string;
  readonly sideFiles: SideFiles;
  /** Digest the file must still have, else nothing is written. `any` overwrites; the old file is kept aside. */
  readonly expected: string;
  readonly reload: boolean;
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
  | { readonly result: 'rolled-back'; readonly message: string };

/** Failures: those of Shell, and `proxy.refused` when HAProxy's answer to a command is not one of the good ones. */
export interface Proxy {
  observe(): Promise<Observation>;
  /** Writes, checks, probes new binds, keeps learned health, renames, reloads, confirms by hash; or leaves all as it was. */
  write(change: FileChange): Promise<FileOutcome>;
  /** Adds a server that gets no traffic: it counts as down until its own check passes. */
  add(backend: Backend, server: ProxyServer): Promise<void>;
  /** Brings a server out of maintenance the same way. */
  revive(backend: string, server: string): Promise<void>;
  admit(backend: string, server: string): Promise<void>;
  drain(backend: string, server: string): Promise<void>;
  /** Takes a drained server out for good; it stays in the process until the next reload. */
  retire(backend: string, server: string): Promise<void>;
  /** Ends the sessions a server still has, in every worker. */
  cutSessions(backend: string, server: string): Promise<void>;
  weigh(backend: string, server: string, weight: number): Promise<void>;
  /** Shows or hides the maintenance page, without a reload. */
  setMaintenance(on: boolean): Promise<void>;
  /** Ends the workers that reloads left behind, and with them every old session. Returns how many there were. */
  endOldWorkers(): Promise<number>;
}
