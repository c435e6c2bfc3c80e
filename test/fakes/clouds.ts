/** Fake clouds by target, and the boot that joins a fake machine to a fake host. */
import type { Clock } from '../../controller/base/clock.ts';
import type { Cloud, Clouds, CloudTarget } from '../../controller/cloud/port.ts';
import { FakeDns } from './dns.ts';
import { Faults } from './faults.ts';
import { FakeMachines } from './machines.ts';
import { FakeObjects } from './objects.ts';
import type { FakeShell } from './shell.ts';

export class FakeCloud implements Cloud {
  readonly faults = new Faults<'identity'>();
  readonly machines: FakeMachines;
  readonly objects: FakeObjects;
  readonly dns: FakeDns;

  constructor(clock: Clock, installation: string) {
    this.machines = new FakeMachines(clock, installation);
    this.objects = new FakeObjects(clock);
    this.dns = new FakeDns(clock);
  }

  identity(): Promise<{ readonly accountId: string; readonly arn: string }> {
    return this.faults.run('identity', undefined, () => ({
      accountId: '000000000000',
      arn: 'arn:aws:iam::000000000000:user/fake',
    }));
  }
}

export class FakeClouds implements Clouds {
  /** Every target asked for, in order. */
  readonly targets: CloudTarget[] = [];
  readonly #clock: Clock;
  readonly #clouds = new Map<string, FakeCloud>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Every account holds what it holds in the other; names of hosts are not copied. */
  copyFrom(other: FakeClouds): void {
    for (const [key, { machines, objects }] of other.#clouds) {
      const { installation } = JSON.parse(key) as CloudTarget;
      const cloud = this.#clouds.get(key) ?? new FakeCloud(this.#clock, installation);
      this.#clouds.set(key, cloud);
      cloud.machines.copyFrom(machines);
      cloud.objects.copyFrom(objects);
    }
  }

  of(target: CloudTarget): FakeCloud {
    this.targets.push(target);
    const key = JSON.stringify(target);
    const cloud = this.#clouds.get(key) ?? new FakeCloud(this.#clock, target.installation);
    this.#clouds.set(key, cloud);
    return cloud;
  }
}

/** The host key every booted fake host offers, as it stands in an attestation. */
export const fakeHostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINPw3dwc60+ZAaKDGfd0gJ4UIpzEWggHm2ngWQd0RUmg';
/** Its fingerprint, as it is pinned. */
export const fakeHostKeyPin = 'ED25519:SHA256:pp5+sdPWThhO/8a0VJsJmF7G+x0seBbbSvUO8jWt5bo';

/**
 * From now on a machine that starts to run does what user data makes a real one do: it PUTs its host key to the
 * attestation URL of its launch index (the n-th URL in the user data), and answers at its private address.
 */
export function bootHosts(cloud: FakeCloud, shell: FakeShell): void {
  cloud.machines.onRunning = (machine, request) => {
    const urls = request.userData.match(/https:\/\/[^\s'"]+/g) ?? [];
    const url = urls[machine.launchIndex];
    if (url !== undefined) cloud.objects.firstPut(url, `${fakeHostKey}\n`);
    if (machine.privateIp !== undefined) shell.addHost(machine.privateIp, [fakeHostKeyPin]);
  };
}
