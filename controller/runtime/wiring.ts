/** From changes in stores to keys in queues: which object wakes which controller, and how urgently. */
import { isDeepStrictEqual } from 'node:util';
import type { AnyObject } from '../api/meta.ts';
import { keyOf, keyText } from '../api/meta.ts';
import { requestOf } from '../api/standing.ts';
import type { Logger } from '../base/log.ts';
import type { KindController, Watch } from '../kube/reconciler.ts';
import type { Priority, Queue } from './queue.ts';
import type { Change } from './store.ts';
import type { Stores } from './stores.ts';

/** Connects a controller's queue to the store of its own kind and to those of its watches. */
export function connect(kind: KindController, queue: Queue, stores: Stores, log: Logger): void {
  stores.open(kind.resource).onChange((change) => addOwn(queue, change));
  for (const watch of kind.watches) {
    stores.open(watch.resource).onChange((change) => {
      if (!isHeeded(change, watch)) return;
      const keys = new Map([change.object, change.before].flatMap((object) => woken(object, watch)));
      for (const key of keys.values()) queue.add(key, priorityOf(change));
    });
  }

  function woken(object: AnyObject | undefined, watch: Watch) {
    if (object === undefined) return [];
    try {
      return watch.wakes(object, stores).map((key) => [keyText(key), key] as const);
    } catch (error) {
      // One odd object must not keep the news of others from anybody.
      log.error(
        { err: error, controller: kind.name, object: keyText(keyOf(object)) },
        'a watch mapping threw',
      );
      return [];
    }
  }
}

function addOwn(queue: Queue, change: Change): void {
  const key = keyOf(change.object);
  const isAsked = change.before !== undefined && isDifferentRequest(change.before, change.object);
  if (change.type !== 'updated') queue.add(key, priorityOf(change));
  else if (isAsked) queue.addAfresh(key);
  else queue.addEcho(key);
}

/** The first list and what later lists correct can wait for what happens now. */
function priorityOf(change: Change): Priority {
  return change.source === 'list' ? 'low' : 'normal';
}

/** Whether people (or owners) changed what is asked for, rather than a controller what it found. */
function isDifferentRequest(before: AnyObject, after: AnyObject): boolean {
  return !isDeepStrictEqual(requestOf(before), requestOf(after));
}

/** Whether the change concerns anything that the watching kind reads. */
function isHeeded({ before, object, type }: Change, { heeds }: Watch): boolean {
  if (heeds === undefined || type !== 'updated' || before === undefined) return true;
  try {
    return !isDeepStrictEqual(heeds(before), heeds(object));
  } catch {
    // An object that does not fit its schema may hold anything: then every change counts.
    return true;
  }
}
