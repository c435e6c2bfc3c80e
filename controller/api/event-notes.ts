/** Events as decisions hand them on: what is to be told about an object once its status is written. Pure. */

/** One event to be told; the object it is about is named by whoever tells it. */
export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Something went as it should. */
export function normalEvent(reason: string, message: string): EventNote {
  return { type: 'Normal', reason, message };
}

/** Something a person should know about. */
export function warningEvent(reason: string, message: string): EventNote {
  return { type: 'Warning', reason, message };
}
