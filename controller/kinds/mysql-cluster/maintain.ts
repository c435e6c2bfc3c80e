/** A pass over a cluster whose primary need not change: observe, decide, record, act. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { timestamp } from '../../base/clock.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { CredentialStore } from '../../cluster-access/credentials.ts';
import type { ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { listServers } from '../../owned-servers/servers.ts';
import { type ActPorts, act } from './act.ts';
import { type Decision, decide } from './decide/index.ts';
import type { Observed } from './decide/plan.ts';
import { type ObservePorts, observe } from './observe.ts';
import type { ClusterPass } from './pass.ts';
import { noteRedundant } from './promote.ts';
import { type RecordPorts, recordDecision } from './record.ts';

export interface MaintainPorts extends ObservePorts, RecordPorts, ActPorts {
  readonly breaker: Breaker;
  readonly credentials: CredentialStore;
}

/** Members, what commits wait for, and what is told of them. */
export async function maintain(
  ports: MaintainPorts,
  pass: ClusterPass,
  { log, now }: ReconcileContext,
): Promise<ReconcileResult> {
  const { observed, decision } = await decideOnLive(ports, pass);
  await pinPasswords(ports, pass, decision);
  const written = await recordDecision(ports, { observed, routing: pass.routing }, decision);
  if (decision.pin !== undefined) ports.failpoints.hit('credentials.after-recorded');
  if (written.status?.rejoin?.step !== pass.cluster.status?.rejoin?.step) hitRejoin(ports, written);
  hitRenewal(ports, pass.cluster, written);
  await act(ports, { pass, written, members: observed.members, decision }, log);
  await noteRedundant(ports.kube, observed.promotions, written.status ?? {}, timestamp(now));
  const hasMoved = JSON.stringify(written.status?.members) !== JSON.stringify(pass.cluster.status?.members);
  return { after: hasMoved ? 0 : decision.recheckAfter };
}

const rejoinFailpoints = {
  Starting: 'rejoin.after-starting-recorded',
  Following: 'rejoin.after-following-recorded',
  Refusing: 'rejoin.after-refusing-recorded',
} as const;

const renewalFailpoints = {
  Making: 'certificates.after-making-recorded',
  Trusting: 'certificates.after-trusting-recorded',
  Presenting: 'certificates.after-presenting-recorded',
  Discarding: 'certificates.after-discarding-recorded',
} as const;

function hitRejoin({ failpoints }: MaintainPorts, { status }: MySQLCluster): void {
  const step = status?.rejoin?.step;
  if (step === 'Starting' || step === 'Following' || step === 'Refusing')
    failpoints.hit(rejoinFailpoints[step]);
}

function hitRenewal({ failpoints }: MaintainPorts, before: MySQLCluster, { status }: MySQLCluster): void {
  const step = status?.certificates?.renewal?.step;
  if (step !== undefined && step !== before.status?.certificates?.renewal?.step)
    failpoints.hit(renewalFailpoints[step]);
}

/** Before the record says that servers are to accept them, and long before one hears of them. */
async function pinPasswords(
  { credentials, failpoints }: MaintainPorts,
  { cluster, credentials: { wanted } }: ClusterPass,
  { pin }: Decision,
): Promise<void> {
  if (pin === undefined || wanted === undefined) return;
  await credentials.pin(cluster, pin, wanted);
  failpoints.hit('credentials.after-pinned');
}

async function decideOnLive(
  ports: MaintainPorts,
  pass: ClusterPass,
): Promise<{ readonly observed: Observed; readonly decision: Decision }> {
  const observed = await observe(ports, pass, 'full');
  const decision = decide(observed);
  if (!decision.servers.some((action) => action.do === 'create' || action.do === 'delete'))
    return { observed, decision };
  // What the cache has not heard of yet would be made, or taken away, a second time.
  const servers = await listServers(ports.kube, pass.cluster);
  const live = await observe(ports, { ...pass, servers }, 'full');
  return { observed: live, decision: decide(live) };
}
