/** Runs kubectl, the way a person would: with one kubeconfig and in one namespace. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const largestAnswer = 64 * 1024 * 1024;

/** The current context of the kubeconfig decides the cluster. */
export class Kubectl {
  /** Absolute path of kubectl. */
  readonly program: string;
  readonly #kubeconfig: string;

  constructor(program: string, kubeconfig: string) {
    this.program = program;
    this.#kubeconfig = kubeconfig;
  }

  /** Standard output of one call. Throws with what kubectl wrote to standard error. */
  async run(args: readonly string[], input?: string): Promise<string> {
    const call = run(this.program, ['--kubeconfig', this.#kubeconfig, ...args], {
      maxBuffer: largestAnswer,
    });
    call.child.stdin?.end(input ?? '');
    try {
      return (await call).stdout;
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim();
      throw new Error(`kubectl ${args.join(' ')}: ${said || String(error)}`, { cause: error });
    }
  }

  /** The items of a list, or the single object, as JSON. */
  async get(args: readonly string[]): Promise<readonly unknown[]> {
    const answer = JSON.parse(await this.run(['get', ...args, '--output=json'])) as { items?: unknown[] };
    return answer.items ?? [answer];
  }

  /** Server-side apply of one object. Fields that people manage are taken over. */
  async apply(object: object): Promise<void> {
    await this.run(['apply', '--server-side', '--force-conflicts', '--filename=-'], JSON.stringify(object));
  }
}
