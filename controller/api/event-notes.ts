/** Events as decisions hand them on: what is to be told about an object once its status is written. Pure. */

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
