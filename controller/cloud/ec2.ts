/** Machines over the EC2 API. Finds and terminations that arrive close together share a call. */
import {
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  EC2Client,
  type Image as Ec2Image,
  type Filter,
  GetConsoleOutputCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { AppError, hasCode } from '../base/errors.ts';
import { Batcher } from './batcher.ts';
import { type CallContext, Caller } from './calls.ts';
import { clientConfig } from './clients.ts';
import { toMachine, toRunInstances } from './instances.ts';
import { type Page, readPage } from './page.ts';
import type { CloudTarget, Ending, Image, LaunchRequest, Machine, Machines, Subnet } from './port.ts';
import type { Sweeper } from './sweeper.ts';

/** Values EC2 accepts in one filter. */
const filterLimit = 200;
/** A fleet of one page of this many rows is read on this thread: 25 ms at most, against 35 MB for a second thread. */
const smallPage = 100;
/** Machines in one TerminateInstances call. */
const terminateLimit = 500;

/** Machines of one account and region that carry this installation's tag. */
export class Ec2Machines implements Machines {
  readonly #client: EC2Client;
  readonly #calls: Caller;
  readonly #context: CallContext;
  readonly #target: CloudTarget;
  readonly #sweeper: Sweeper;
  readonly #finds: Batcher<readonly string[], readonly Machine[]>;
  readonly #terminations = new Map<string, Batcher<string, AppError | 'accepted'>>();
  /** Last known zone per machine: terminations are grouped by it. */
  #zones = new Map<string, string>();
  /** As of the last sweep. */
  #isSmall = true;
  readonly #rootDevices = new Map<string, string | undefined>();

  constructor(target: CloudTarget, context: CallContext, sweeper: Sweeper) {
    this.#target = target;
    this.#context = context;
    this.#sweeper = sweeper;
    this.#client = new EC2Client(clientConfig(target, 'ec2'));
    this.#calls = new Caller('ec2', context);
    this.#finds = new Batcher({
      clock: context.clock,
      idle: 200,
      max: 1_000,
      size: filterLimit,
      run: (requests) => this.#findAll(requests),
    });
  }

  async launch(request: LaunchRequest): Promise<readonly Machine[]> {
    const input = toRunInstances(request, await this.#rootDevice(request.imageId));
    const answer = await this.#calls.write('RunInstances', request.maxCount, (options) =>
      this.#client.send(new RunInstancesCommand(input), options),
    );
    const machines = (answer.Instances ?? []).flatMap((instance) => toMachine(instance) ?? []);
    this.#remember(machines);
    return machines;
  }

  async preflight(request: LaunchRequest): Promise<Error | undefined> {
    try {
      const { ClientToken: _, ...input } = toRunInstances(request, await this.#rootDevice(request.imageId));
      await this.#calls.read('RunInstances', (options) =>
        this.#client.send(new RunInstancesCommand({ ...input, DryRun: true }), options),
      );
      return undefined;
    } catch (error) {
      // EC2 answers a dry run that would succeed with this error.
      if (error instanceof AppError && error.fields['awsCode'] === 'DryRunOperation') return undefined;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async sweep(): Promise<readonly Machine[]> {
    const machines = (this.#isSmall ? await this.#sweepSmall() : undefined) ?? (await this.#sweepLarge());
    this.#isSmall = machines.length <= smallPage;
    this.#zones = new Map();
    this.#remember(machines);
    return machines;
  }

  /** All machines, or undefined when they are more than a small page holds. */
  async #sweepSmall(): Promise<readonly Machine[] | undefined> {
    const { installation } = this.#target;
    const page = await this.#calls.read('DescribeInstances', (options) =>
      readPage(this.#client, { installation, size: smallPage }, options),
    );
    return page.nextToken === undefined ? page.machines : undefined;
  }

  async #sweepLarge(): Promise<readonly Machine[]> {
    const machines: Machine[] = [];
    let token: string | undefined;
    do {
      const nextToken = token;
      const page: Page = await this.#calls.read('DescribeInstances', ({ abortSignal }) =>
        this.#sweeper.page(this.#target, nextToken, abortSignal),
      );
      machines.push(...page.machines);
      token = page.nextToken;
    } while (token !== undefined);
    return machines;
  }

  async find(ids: readonly string[]): Promise<readonly Machine[]> {
    return ids.length === 0 ? [] : await this.#finds.add(ids);
  }

  async findByToken(clientToken: string): Promise<readonly Machine[]> {
    return await this.#describe({ Name: 'client-token', Values: [clientToken] });
  }

  async terminate(id: string, { skipOsShutdown }: Ending = { skipOsShutdown: false }): Promise<void> {
    const outcome = await this.#terminationsIn(this.#zones.get(id) ?? '', skipOsShutdown).add(id);
    if (outcome !== 'accepted') throw outcome;
  }

  async stop(id: string, { skipOsShutdown }: Ending): Promise<void> {
    // With Force, because without it a machine that hangs in `stopping` stays there.
    const how = skipOsShutdown ? { Force: true, SkipOsShutdown: true } : {};
    await this.#calls.write('StopInstances', 1, (sending) =>
      this.#client.send(new StopInstancesCommand({ InstanceIds: [id], ...how }), sending),
    );
  }

  async start(id: string): Promise<void> {
    await this.#calls.write('StartInstances', 1, (options) =>
      this.#client.send(new StartInstancesCommand({ InstanceIds: [id] }), options),
    );
  }

  async tag(id: string, tags: Readonly<Record<string, string>>): Promise<void> {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await this.#calls.write('CreateTags', 1, (options) =>
      this.#client.send(new CreateTagsCommand({ Resources: [id], Tags }), options),
    );
  }

  async consoleOutput(id: string): Promise<string> {
    const answer = await this.#calls.read('GetConsoleOutput', (options) =>
      this.#client.send(new GetConsoleOutputCommand({ InstanceId: id }), options),
    );
    return Buffer.from(answer.Output ?? '', 'base64').toString('utf8');
  }

  async image(id: string): Promise<Image | undefined> {
    // A filter, not the ImageIds parameter: that one fails on an id EC2 does not know.
    const images = await this.#images([{ Name: 'image-id', Values: [id] }], []);
    return images.flatMap((image) => toImage(image) ?? [])[0];
  }

  async newestImage(namePattern: string, owner: string): Promise<Image | undefined> {
    const images = await this.#images([{ Name: 'name', Values: [namePattern] }], [owner]);
    const newest = images
      .filter((image) => image.State === 'available')
      .toSorted((left, right) => (right.CreationDate ?? '').localeCompare(left.CreationDate ?? ''))[0];
    return newest === undefined ? undefined : toImage(newest);
  }

  async subnets(ids: readonly string[]): Promise<readonly Subnet[]> {
    const answer = await this.#calls.read('DescribeSubnets', (options) =>
      this.#client.send(
        new DescribeSubnetsCommand({ Filters: [{ Name: 'subnet-id', Values: [...ids] }] }),
        options,
      ),
    );
    return (answer.Subnets ?? []).flatMap(({ SubnetId, AvailabilityZone }) =>
      SubnetId === undefined || AvailabilityZone === undefined
        ? []
        : [{ id: SubnetId, zone: AvailabilityZone }],
    );
  }

  async #findAll(requests: readonly (readonly string[])[]): Promise<readonly (readonly Machine[])[]> {
    const ids = [...new Set(requests.flat())];
    const found = new Map<string, Machine>();
    for (let start = 0; start < ids.length; start += filterLimit) {
      const chunk = ids.slice(start, start + filterLimit);
      for (const machine of await this.#describe({ Name: 'instance-id', Values: chunk })) {
        found.set(machine.id, machine);
      }
    }
    return requests.map((request) => request.flatMap((id) => found.get(id) ?? []));
  }

  async #describe(filter: Filter): Promise<readonly Machine[]> {
    const machines: Machine[] = [];
    let nextToken: string | undefined;
    do {
      const page = nextToken === undefined ? {} : { NextToken: nextToken };
      const answer = await this.#calls.read('DescribeInstances', (options) =>
        this.#client.send(
          new DescribeInstancesCommand({ Filters: [filter], MaxResults: 1000, ...page }),
          options,
        ),
      );
      const rows = (answer.Reservations ?? []).flatMap(({ Instances = [] }) => Instances);
      machines.push(...rows.flatMap((row) => toMachine(row) ?? []));
      nextToken = answer.NextToken;
    } while (nextToken !== undefined);
    this.#remember(machines);
    return machines;
  }

  /** One call has one way to end all its machines. */
  #terminationsIn(zone: string, skipOsShutdown: boolean): Batcher<string, AppError | 'accepted'> {
    const key = `${zone}/${skipOsShutdown}`;
    const existing = this.#terminations.get(key);
    if (existing !== undefined) return existing;
    const batcher = new Batcher({
      clock: this.#context.clock,
      idle: 100,
      max: 1_000,
      size: terminateLimit,
      run: (ids: readonly string[]) => this.#terminateAll(ids, skipOsShutdown),
    });
    this.#terminations.set(key, batcher);
    return batcher;
  }

  /** One bad id fails the whole call, so then each id gets its own. */
  async #terminateAll(
    ids: readonly string[],
    skipOsShutdown: boolean,
  ): Promise<readonly (AppError | 'accepted')[]> {
    const unique = [...new Set(ids)];
    try {
      await this.#sendTerminate(unique, skipOsShutdown);
      return ids.map(() => 'accepted');
    } catch (error) {
      const isOneBad = hasCode(
        error,
        'cloud.not-found',
        'cloud.protected',
        'cloud.wrong-state',
        'cloud.denied',
      );
      if (!isOneBad || unique.length === 1) throw error;
    }
    const outcomes = new Map<string, AppError | 'accepted'>();
    for (const id of unique) outcomes.set(id, await this.#terminateOne(id, skipOsShutdown));
    return ids.flatMap((id) => outcomes.get(id) ?? []);
  }

  async #terminateOne(id: string, skipOsShutdown: boolean): Promise<AppError | 'accepted'> {
    try {
      await this.#sendTerminate([id], skipOsShutdown);
      return 'accepted';
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  }

  async #sendTerminate(ids: readonly string[], skipOsShutdown: boolean): Promise<void> {
    const how = skipOsShutdown ? { Force: true, SkipOsShutdown: true } : {};
    await this.#calls.write('TerminateInstances', ids.length, (options) =>
      this.#client.send(new TerminateInstancesCommand({ InstanceIds: [...ids], ...how }), options),
    );
  }

  async #images(filters: Filter[], owners: string[]): Promise<readonly Ec2Image[]> {
    const answer = await this.#calls.read('DescribeImages', (options) =>
      this.#client.send(
        new DescribeImagesCommand({ Filters: filters, ...(owners.length === 0 ? {} : { Owners: owners }) }),
        options,
      ),
    );
    return answer.Images ?? [];
  }

  /** The image's root device; undefined when it has no EBS root. It never changes, so one look is enough. */
  async #rootDevice(imageId: string): Promise<string | undefined> {
    if (this.#rootDevices.has(imageId)) return this.#rootDevices.get(imageId);
    const [image] = await this.#images([{ Name: 'image-id', Values: [imageId] }], []);
    if (image === undefined) {
      throw new AppError('cloud.bad-request', `there is no image ${imageId} [InvalidAMIID.NotFound]`, {
        fields: { imageId, awsCode: 'InvalidAMIID.NotFound' },
      });
    }
    const device = image.RootDeviceType === 'ebs' ? image.RootDeviceName : undefined;
    this.#rootDevices.set(imageId, device);
    return device;
  }

  #remember(machines: readonly Machine[]): void {
    for (const { id, zone } of machines) this.#zones.set(id, zone);
  }
}

function toImage(image: Ec2Image): Image | undefined {
  if (image.ImageId === undefined) return undefined;
  return { id: image.ImageId, name: image.Name ?? '', available: image.State === 'available' };
}
