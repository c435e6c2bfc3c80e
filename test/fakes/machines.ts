/** A stateful EC2 in memory: launch tokens, delayed states, and the faults EC2 is known for. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type {
  Ending,
  Image,
  LaunchRequest,
  Machine,
  MachineState,
  Machines,
  Subnet,
} from '../../controller/cloud/port.ts';
import { Faults } from './faults.ts';

type Operation = Exclude<keyof Machines, symbol>;

interface Row {
  machine: Machine;
  /** The state it will take, and when. */
  next: { readonly state: MachineState; readonly at: Instant } | undefined;
  terminatedAt: Instant | undefined;
}

interface Launched {
  readonly request: string;
  readonly ids: readonly string[];
}

/** EC2 lists terminated machines for about an hour. */
const terminatedVisible: Millis = 3_600_000;
/** How long each transition takes. */
const transition: Millis = 1_000;

export class FakeMachines implements Machines {
  readonly faults = new Faults<Operation>();
  /** Subnets that exist, by id. */
  readonly subnetZones = new Map<string, string>([
    ['subnet-a', 'eu-west-1a'],
    ['subnet-b', 'eu-west-1b'],
  ]);
  /** Images that exist, oldest first. */
  readonly images: (Image & { readonly owner: string })[] = [
    { id: 'ami-0123456789abcdef0', name: 'ridgeline-debian-13-trixie', available: true, owner: 'self' },
  ];
  /** Machines left per `type@subnet`; a pair that is not listed never runs out. */
  readonly capacity = new Map<string, number>();
  /** Ids with termination protection. */
  readonly protectedIds = new Set<string>();
  /** Ids no read shows and no call finds: machines that vanished, or reads that are stale. */
  readonly hidden = new Set<string>();
  /** Machines whose operating system never ends by itself. */
  readonly stubborn = new Set<string>();
  /** How each machine that somebody stopped or terminated while it ran was ended. */
  readonly ends = new Map<string, 'orderly' | 'power cut'>();
  /** Called once for each machine when it is seen to run. */
  onRunning: ((machine: Machine, request: LaunchRequest) => void) | undefined;

  readonly #clock: Clock;
  readonly #installation: string;
  readonly #rows = new Map<string, Row>();
  readonly #launches = new Map<string, Launched>();
  readonly #announcements = new Map<string, LaunchRequest>();
  #heldSweep: readonly Machine[] | undefined;

  constructor(clock: Clock, installation: string) {
    this.#clock = clock;
    this.#installation = installation;
  }

  /** Becomes a copy of another region: its machines, and what it remembers of launches. */
  copyFrom(other: FakeMachines): void {
    for (const [id, row] of other.#rows) this.#rows.set(id, { ...row });
    for (const [token, launched] of other.#launches) this.#launches.set(token, launched);
    for (const [id, request] of other.#announcements) this.#announcements.set(id, request);
    for (const [id, how] of other.ends) this.ends.set(id, how);
  }

  /** Finishes every transition under way, without moving the clock. */
  settle(): void {
    for (const row of this.#rows.values()) if (row.next !== undefined) this.#enter(row, row.next.state);
  }

  /** From now on sweeps repeat today's picture, until `releaseSweeps`. */
  holdSweeps(): void {
    this.#heldSweep = this.picture();
  }

  releaseSweeps(): void {
    this.#heldSweep = undefined;
  }

  /** Puts a machine into a state as if EC2 or a person did it. */
  force(id: string, state: MachineState, stateReason = 'Server.ScheduledStop'): void {
    const row = this.#row(id);
    row.machine = { ...row.machine, stateReason };
    this.#enter(row, state);
  }

  /** The true state of every machine that is listed at all, without a call in the log. */
  picture(): readonly Machine[] {
    return this.#listed((machine) => this.#isOurs(machine));
  }

  launch(request: LaunchRequest): Promise<readonly Machine[]> {
    return this.faults.run('launch', request, () => {
      const key = `${request.clientToken}@${this.#zoneOf(request)}`;
      const earlier = this.#launches.get(key);
      return earlier === undefined ? this.#create(key, request) : this.#replay(earlier, request);
    });
  }

  async preflight(request: LaunchRequest): Promise<Error | undefined> {
    try {
      return await this.faults.run('preflight', request, () => this.#validate(request));
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  sweep(): Promise<readonly Machine[]> {
    return this.faults.run('sweep', undefined, () => this.#heldSweep ?? this.picture());
  }

  find(ids: readonly string[]): Promise<readonly Machine[]> {
    return this.faults.run('find', ids, () => this.#listed((machine) => ids.includes(machine.id)));
  }

  findByToken(clientToken: string): Promise<readonly Machine[]> {
    return this.faults.run('findByToken', clientToken, () =>
      this.#listed((machine) => machine.clientToken === clientToken),
    );
  }

  terminate(id: string, ending: Ending = { skipOsShutdown: false }): Promise<void> {
    return this.faults.run('terminate', ending.skipOsShutdown ? { id, ...ending } : id, () => {
      const row = this.#row(id);
      if (this.protectedIds.has(id)) throw new AppError('cloud.protected', `${id} is protected`);
      if (row.machine.state === 'terminated') return;
      row.machine = { ...row.machine, stateReason: 'Client.UserInitiatedShutdown' };
      this.#end(row, ending);
      this.#begin(row, 'shutting-down', 'terminated');
    });
  }

  stop(id: string, ending: Ending): Promise<void> {
    return this.faults.run('stop', { id, ...ending }, () => {
      const row = this.#row(id);
      const { state } = row.machine;
      if (state === 'stopped' || (state === 'stopping' && !ending.skipOsShutdown)) return;
      if (state !== 'running' && state !== 'stopping') throw wrongState(row.machine);
      this.#end(row, ending);
      this.#begin(row, 'stopping', 'stopped');
      if (!ending.skipOsShutdown && this.stubborn.has(id)) row.next = undefined;
    });
  }

  start(id: string): Promise<void> {
    return this.faults.run('start', id, () => {
      const row = this.#row(id);
      if (row.machine.state === 'running' || row.machine.state === 'pending') return;
      if (row.machine.state !== 'stopped') throw wrongState(row.machine);
      this.#begin(row, 'pending', 'running');
    });
  }

  tag(id: string, tags: Readonly<Record<string, string>>): Promise<void> {
    return this.faults.run('tag', { id, tags }, () => {
      const row = this.#row(id);
      row.machine = { ...row.machine, tags: { ...row.machine.tags, ...tags } };
    });
  }

  consoleOutput(id: string): Promise<string> {
    return this.faults.run('consoleOutput', id, () => {
      this.#row(id);
      return '';
    });
  }

  image(id: string): Promise<Image | undefined> {
    return this.faults.run('image', id, () => this.images.find((image) => image.id === id));
  }

  newestImage(namePattern: string, owner: string): Promise<Image | undefined> {
    return this.faults.run('newestImage', { namePattern, owner }, () =>
      this.images.findLast((image) => image.owner === owner && matches(namePattern, image.name)),
    );
  }

  subnets(ids: readonly string[]): Promise<readonly Subnet[]> {
    return this.faults.run('subnets', ids, () =>
      [...this.subnetZones].filter(([id]) => ids.includes(id)).map(([id, zone]) => ({ id, zone })),
    );
  }

  #create(key: string, request: LaunchRequest): readonly Machine[] {
    const problem = this.#validate(request);
    if (problem !== undefined) throw problem;
    const pool = `${request.instanceType}@${request.subnetId ?? request.zone ?? ''}`;
    const left = this.capacity.get(pool) ?? Number.POSITIVE_INFINITY;
    const count = Math.min(request.maxCount, left);
    if (count < request.minCount) throw new AppError('cloud.no-capacity', `no ${pool} left`);
    this.capacity.set(pool, left - count);
    const machines = Array.from({ length: count }, (_, index) => this.#boot(request, index));
    this.#launches.set(key, { request: fingerprint(request), ids: machines.map(({ id }) => id) });
    return machines;
  }

  #replay(earlier: Launched, request: LaunchRequest): readonly Machine[] {
    if (earlier.request !== fingerprint(request)) {
      throw new AppError('cloud.token-mismatch', 'the token was used with other parameters');
    }
    this.#passTime();
    const machines = earlier.ids.flatMap((id) => this.#rows.get(id)?.machine ?? []);
    if (machines.length < earlier.ids.length || machines.some(({ state }) => state === 'terminated')) {
      throw new AppError('cloud.token-terminated', 'the token belongs to a terminated machine');
    }
    return machines;
  }

  #validate(request: LaunchRequest): AppError | undefined {
    const image = this.images.find(({ id }) => id === request.imageId);
    if (image === undefined) {
      return new AppError('cloud.bad-request', `image ${request.imageId} does not exist`);
    }
    if (request.subnetId !== undefined && !this.subnetZones.has(request.subnetId)) {
      return new AppError('cloud.bad-request', `subnet ${request.subnetId} does not exist`);
    }
    return undefined;
  }

  #boot(request: LaunchRequest, launchIndex: number): Machine {
    const serial = this.#rows.size + 1;
    const machine: Machine = {
      id: `i-${serial.toString(16).padStart(17, '0')}`,
      state: 'pending',
      type: request.instanceType,
      imageId: request.imageId,
      zone: this.#zoneOf(request),
      ...(request.subnetId === undefined ? {} : { subnetId: request.subnetId }),
      privateIp: `10.77.${Math.floor(serial / 250)}.${(serial % 250) + 3}`,
      launchTime: this.#clock.now(),
      clientToken: request.clientToken,
      launchIndex,
      tags: request.tags,
    };
    const row: Row = { machine, next: undefined, terminatedAt: undefined };
    this.#rows.set(machine.id, row);
    this.#announcements.set(machine.id, request);
    this.#begin(row, 'pending', 'running');
    return machine;
  }

  #begin(row: Row, during: MachineState, after: MachineState): void {
    row.machine = { ...row.machine, state: during };
    row.next = { state: after, at: this.#clock.now() + transition };
  }

  /** A machine that was told that it ends has heard it, whatever comes after. */
  #end({ machine: { id, state } }: Row, { skipOsShutdown }: Ending): void {
    const isCut = skipOsShutdown && (state === 'running' || this.stubborn.has(id));
    if (isCut) this.ends.set(id, 'power cut');
    else if (state === 'running') this.ends.set(id, 'orderly');
  }

  #enter(row: Row, state: MachineState): void {
    row.machine = { ...row.machine, state };
    row.next = undefined;
    if (state === 'terminated') row.terminatedAt = this.#clock.now();
    const request = this.#announcements.get(row.machine.id);
    if (state === 'running' && request !== undefined) {
      this.#announcements.delete(row.machine.id);
      this.onRunning?.(row.machine, request);
    }
  }

  #passTime(): void {
    const now = this.#clock.now();
    for (const [id, row] of this.#rows) {
      if (row.next !== undefined && row.next.at <= now) this.#enter(row, row.next.state);
      if (row.terminatedAt !== undefined && row.terminatedAt + terminatedVisible <= now)
        this.#rows.delete(id);
    }
  }

  #listed(wanted: (machine: Machine) => boolean): readonly Machine[] {
    this.#passTime();
    return [...this.#rows.values()]
      .map(({ machine }) => machine)
      .filter((machine) => !this.hidden.has(machine.id) && wanted(machine));
  }

  #isOurs(machine: Machine): boolean {
    return machine.tags['ridgeline:installation'] === this.#installation;
  }

  #row(id: string): Row {
    this.#passTime();
    const row = this.hidden.has(id) ? undefined : this.#rows.get(id);
    if (row === undefined) throw new AppError('cloud.not-found', `there is no machine ${id}`);
    return row;
  }

  #zoneOf(request: LaunchRequest): string {
    const bySubnet = request.subnetId === undefined ? undefined : this.subnetZones.get(request.subnetId);
    return bySubnet ?? request.zone ?? 'eu-west-1a';
  }
}

function wrongState(machine: Machine): AppError {
  return new AppError('cloud.wrong-state', `${machine.id} is ${machine.state}`);
}

function fingerprint(request: LaunchRequest): string {
  return JSON.stringify(Object.entries(request).toSorted(([left], [right]) => left.localeCompare(right)));
}

/** EC2's name patterns: `*` any text, `?` one character. */
function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
