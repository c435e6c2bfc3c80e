/** What talking to a machine tells: its host keys, whether it answers, and whether it is healthy. */

import { hostOf } from '../../accounts/host.ts';
import type { Accounts, OpenAccount } from '../../accounts/port.ts';
import type { CloudAccount } from '../../api/cloud-account.ts';
import { attestationKey } from '../../api/launch-batch.ts';
import { keyOf, keyText } from '../../api/meta.ts';
import { isGoing } from '../../api/ownership.ts';
import type { Server, ServerStatus } from '../../api/server.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError, messageOf } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import { pinsOf } from '../../shell/host-key.ts';
import type { Host, Shell } from '../../shell/port.ts';
import type { ConsoleWatch } from './console-watch.ts';
import type { Attestation, HealthFacts, MachineFacts, Observed, ShellFacts } from './decide/plan.ts';
import type { HealthChecks } from './health.ts';
import { observeMachine } from './observe-machine.ts';

export interface HostPorts {
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly failpoints: Failpoints;
  readonly health: HealthChecks;
  readonly consoles: ConsoleWatch;
}

/** Silence of a fresh machine is normal for this long; then its console is asked for the reason. */
const consoleAfter: Millis = 60_000;

type Common = Pick<Observed, 'now' | 'server' | 'status' | 'account' | 'revision' | 'owner'>;
type HostFacts = Pick<Observed, 'machine' | 'attestation' | 'shell' | 'health'>;

const nothing = { attestation: undefined, shell: undefined, health: undefined };

/** The machine, and what can be learned by talking to it. */
export async function observeHost(ports: HostPorts, common: Common): Promise<HostFacts> {
  const { account, status, now } = common;
  const { instanceID } = status;
  if (instanceID === undefined) return { ...nothing, machine: { state: 'none' } };
  if (account === undefined) {
    const message = `CloudAccount/${status.accountRef?.name ?? ''} is gone; put it back, or this machine cannot be reached.`;
    return { ...nothing, machine: { state: 'unknown', message } };
  }
  const machine = await lookAtMachine(ports, account, status, now);
  const isRunning = machine.state === 'present' && machine.machine.state === 'running';
  if (!isRunning || isGoing(common.server, common.owner?.object)) return { ...nothing, machine };
  const opened = await ports.accounts.open(account);
  return {
    ...nothing,
    machine,
    ...(await askHost(ports, { ...common, account, opened, machine, instanceID })),
  };
}

/** Only what the machine's stage of life needs. */
async function askHost(ports: HostPorts, context: HostContext): Promise<Partial<HostFacts>> {
  const { sshHostKeys, bootedTime, forcedTime, bootRunRef } = context.status;
  if (sshHostKeys === undefined) return { attestation: await readAttestation(ports, context) };
  const host = await hostFor(ports, context);
  if (bootedTime !== undefined || forcedTime !== undefined)
    return { health: await checkHealth(ports, context, host) };
  return bootRunRef?.uid === undefined ? { shell: await connect(ports, context, host) } : {};
}

interface HostContext extends Common {
  readonly account: CloudAccount;
  readonly opened: OpenAccount;
  readonly machine: MachineFacts & { readonly state: 'present' };
  readonly instanceID: string;
}

/** EC2 not answering is a fact, not an error: the status says so. */
async function lookAtMachine(
  ports: HostPorts,
  account: CloudAccount,
  status: ServerStatus,
  now: Instant,
): Promise<MachineFacts> {
  try {
    return await observeMachine(await ports.accounts.open(account), status, now);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return {
      state: 'unknown',
      message: `EC2 cannot be asked about ${status.instanceID ?? ''}: ${messageOf(error)}`,
    };
  }
}

async function readAttestation(ports: HostPorts, context: HostContext): Promise<Attestation> {
  const { account, opened, status } = context;
  const { bucket, prefix } = account.spec.stateStore;
  const key = attestationKey(prefix, status.launchBatchRef?.name ?? '', status.launchIndex ?? 0);
  try {
    const body = await opened.cloud.objects.get(bucket, key);
    if (body !== undefined) {
      ports.failpoints.hit('boot.after-host-key-read');
      const pins = pinsOf(new TextDecoder().decode(body)).slice(0, 8);
      if (pins.length > 0) return { state: 'present', pins };
      return { state: 'unreadable', message: `s3://${bucket}/${key} holds no SSH public key` };
    }
    return { state: hasConflict(ports, context) ? 'conflict' : 'absent' };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { state: 'unreadable', message: error.message };
  }
}

/** Where to connect, or why that is not known. */
async function hostFor({ accounts }: HostPorts, context: HostContext): Promise<Host | string> {
  const { server, status, machine, account } = context;
  // The address of this very moment: status learns it only with the next write.
  const { privateIp, publicIp } = machine.machine;
  const now: Server = { ...server, status: { ...status, privateIP: privateIp, publicIP: publicIp } };
  try {
    return hostOf(now, account, await accounts.login(account)) ?? 'it has no address yet';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

async function connect(ports: HostPorts, context: HostContext, host: Host | string): Promise<ShellFacts> {
  if (typeof host === 'string') return { state: 'unreachable', message: host };
  try {
    await ports.shell.check(host);
    return { state: 'verified' };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'shell.host-key-mismatch') return { state: 'mismatch', message: error.message };
    if (error.code === 'shell.auth-failed') return { state: 'refused', message: error.message };
    if (!error.code.startsWith('shell.')) throw error;
    return { state: hasConflict(ports, context) ? 'conflict' : 'unreachable', message: error.message };
  }
}

/** Whether the machine says on its console that somebody else used its upload address. */
function hasConflict({ consoles }: HostPorts, { opened, status, instanceID, now }: HostContext): boolean {
  if (now - Date.parse(status.launchTime ?? '') <= consoleAfter) return false;
  return consoles.hasConflict(opened.cloud.machines, instanceID, now);
}

async function checkHealth(
  ports: HostPorts,
  { server, status, revision, instanceID, now }: HostContext,
  host: Host | string,
): Promise<HealthFacts | undefined> {
  if (revision === undefined) return undefined;
  if (typeof host === 'string')
    return { result: 'unreachable', failures: 1, message: host, nextCheck: 10_000 };
  const isNew = status.operationalTime === undefined;
  return ports.health.check({ key: keyText(keyOf(server)), instanceID, host, revision, isNew }, now);
}
