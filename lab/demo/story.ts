/** What a demo shows: an example, how to know that it works, and what to try with it. */
import type { Kubectl } from '../kube/kubectl.ts';

/** Prints a line at once. */
export type Say = (line: string) => void;

export interface Story {
  /** Folder below `examples/`, and the name on the command line. */
  readonly name: string;
  readonly namespace: string;
  /** Usual time to Ready is seconds; this is when to give up. */
  readonly timeoutSeconds: number;
  /** Visits the site as its users would; returns what they see. Throws when they would see an error. */
  visit(kubectl: Kubectl, say: Say): Promise<string>;
  /** Lines to print last. */
  readonly tryNext: readonly string[];
}
