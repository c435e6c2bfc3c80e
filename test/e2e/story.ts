/** A namespace of one story: quick objects to apply, and questions about what became of them. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Condition } from '../../controller/api/conditions.ts';
import { images } from '../../lab/config.ts';
import { root } from '../source-tree.ts';
import type { Installation } from './setup.ts';

const execute = promisify(execFile);
const apiVersion = 'ridgeline.dev/v1alpha1';

interface Applied {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly stringData?: Readonly<Record<string, string>>;
}

/** One of our kinds; its namespace is that of the story. */
export function object(kind: string, name: string, spec: object): Applied & { readonly spec: object } {
  return { apiVersion, kind, metadata: { name }, spec };
}

export function secret(name: string, stringData: Readonly<Record<string, string>>): Applied {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

export function script(name: string, inline: string, extra: object = {}): Applied {
  return object('Script', name, { source: { inline }, ...extra });
}

/** A template of the lab's image; `steps` name scripts. */
export function template(name: string, steps: Steps = {}, extra: object = {}): Applied {
  const uses = (names: readonly string[] = []) =>
    names.map((one) => ({ name: one, scriptRef: { name: one } }));
  return object('ServerTemplate', name, {
    image: { id: images.trixie.id },
    instance: { types: ['t3.micro', 't3.small'] },
    boot: uses(steps.boot),
    operations: uses(steps.operations),
    decommission: uses(steps.decommission),
    health: { type: 'None' },
    ...extra,
  });
}

interface Steps {
  readonly boot?: readonly string[];
  readonly operations?: readonly string[];
  readonly decommission?: readonly string[];
}

export function server(name: string, templateName: string, extra: object = {}): Applied {
  return object('Server', name, {
    deploymentRef: { name: 'site' },
    serverTemplateRef: { name: templateName },
    ...extra,
  });
}

export class Story {
  readonly site: Installation;
  readonly namespace: string;

  private constructor(site: Installation, namespace: string) {
    this.site = site;
    this.namespace = namespace;
  }

  /** Makes the namespace with a Deployment `site`. */
  static async open(site: Installation, namespace: string, deployment: object = {}): Promise<Story> {
    await site.kubectl.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const story = new Story(site, namespace);
    await story.apply(object('Deployment', 'site', deployment));
    return story;
  }

  /** kubectl in this namespace. */
  async kubectl(...args: string[]): Promise<string> {
    return this.site.kubectl.run(['--namespace', this.namespace, ...args]);
  }

  async apply(...objects: readonly Applied[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    const args = ['--namespace', this.namespace, 'apply', '--server-side', '--filename=-'];
    await this.site.kubectl.run(args, JSON.stringify(list));
  }

  /** Waits until the condition (`Ready` when `type` is left out) gives this reason; returns it. */
  async waitFor(what: string, reason: string, type = 'Ready'): Promise<Condition> {
    const found = `{.status.conditions[?(@.type=="${type}")].reason}`;
    try {
      await this.kubectl('wait', what, `--for=jsonpath=${found}=${reason}`, '--timeout=100s');
    } catch (error) {
      const now = await this.describeConditions(what);
      throw new Error(`${what} did not get ${type} ${reason}:\n${now}`, { cause: error });
    }
    return (await this.conditions(what)).find((condition) => condition.type === type)!;
  }

  async waitOperational(...servers: readonly string[]): Promise<void> {
    await Promise.all(servers.map((name) => this.waitFor(`rlsrv/${name}`, 'Operational')));
  }

  async conditions(what: string): Promise<readonly Condition[]> {
    const text = await this.kubectl('get', what, '--output=jsonpath={.status.conditions}');
    return text === '' ? [] : (JSON.parse(text) as Condition[]);
  }

  /** A line each. */
  async describeConditions(what: string): Promise<string> {
    const found = await this.conditions(what);
    return found.map((one) => `${one.type}=${one.status} ${one.reason}: ${one.message}`).join('\n');
  }

  async objects(...args: string[]): Promise<readonly unknown[]> {
    return this.site.kubectl.get(['--namespace', this.namespace, ...args]);
  }

  /** One field, e.g. `{.status.zone}`. */
  async field(what: string, jsonPath: string): Promise<string> {
    return this.kubectl('get', what, `--output=jsonpath=${jsonPath}`);
  }

  /** Runs a command as root on the machine of a Server, through the lab and not its network. */
  async onMachine(name: string, command: string): Promise<string> {
    const instance = await this.field(`rlsrv/${name}`, '{.status.instanceID}');
    const { stdout } = await execute(process.execPath, [
      path.join(root, 'lab/main.ts'),
      'ssh',
      instance,
      command,
    ]);
    return stdout;
  }
}
