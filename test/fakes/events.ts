/** Events in memory. */
import type { EventNote } from '../../controller/api/event-notes.ts';
import { type AnyObject, keyOf, keyText } from '../../controller/api/meta.ts';
import type { Events } from '../../controller/kube/port.ts';

/** Keeps what was recorded, in order. */
export class FakeEvents implements Events {
  readonly recorded: { type: 'Normal' | 'Warning'; about: string; reason: string; message: string }[] = [];

  normal(about: AnyObject, reason: string, message: string): void {
    this.recorded.push({ type: 'Normal', about: keyText(keyOf(about)), reason, message });
  }

  warning(about: AnyObject, reason: string, message: string): void {
    this.recorded.push({ type: 'Warning', about: keyText(keyOf(about)), reason, message });
  }

  tell(about: AnyObject, notes: readonly EventNote[]): void {
    this.recorded.push(...notes.map((note) => ({ about: keyText(keyOf(about)), ...note })));
  }
}
