/** Which Server has which instance: lets news from EC2 find their Server without looking at all of them. */
import { type AnyObject, keyOf, keyText, type ObjectKey } from '../../api/meta.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Wake } from '../../kube/reconciler.ts';

/** What tells about every change of a Server. */
export interface ServerNews {
  onChange(listener: (change: { readonly type: string; readonly object: AnyObject }) => void): void;
}

/** Answers a function that wakes the Server of an instance. */
export function wakeByInstance(news: ServerNews, wake: Wake): (instanceID: string) => void {
  const index = new InstanceIndex();
  news.onChange(({ type, object }) => {
    if (type === 'deleted') index.remove(object as Server);
    else index.update(object as Server);
  });
  return (instanceID) => {
    const key = index.serverOf(instanceID);
    if (key !== undefined) wake(serverKind, key);
  };
}

class InstanceIndex {
  readonly #servers = new Map<string, ObjectKey>();
  readonly #instances = new Map<string, string>();

  update(server: Server): void {
    const instanceID = server.status?.instanceID;
    this.remove(server);
    if (instanceID === undefined) return;
    this.#servers.set(instanceID, keyOf(server));
    this.#instances.set(keyText(keyOf(server)), instanceID);
  }

  remove(server: Server): void {
    const key = keyText(keyOf(server));
    const before = this.#instances.get(key);
    if (before !== undefined) this.#servers.delete(before);
    this.#instances.delete(key);
  }

  serverOf(instanceID: string): ObjectKey | undefined {
    return this.#servers.get(instanceID);
  }
}
