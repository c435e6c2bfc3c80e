/** Leaving: nothing stays behind, and nothing is skipped. */

import { aRun, aServer, at, finished } from '../../../builders/server.ts';
import { type Row, testPlans } from '../../../builders/server-plans.ts';

const passed = { result: 'passed', failures: 0, message: 'HTTP 200', nextCheck: 10_000 } as const;

const givenUp = aServer()
  .operational()
  .deleting()
  .spec({ adopt: { instanceID: 'i-0c0ffee0' }, deletionPolicy: 'Retain' })
  .with({
    owner: { counts: true, object: { metadata: {}, spec: { deletionPolicy: 'Terminate' } } as never },
  });

const leaving: readonly Row[] = [
  [
    'deleted before its cluster has taken its machine over: let go at once, as it was',
    givenUp.metadata({ labels: { 'ridgeline.dev/role': 'joining' } }),
    { ready: 'Terminated', action: 'retain', events: ['InstanceRetained'] },
  ],
  [
    'the same when it has: its cluster lets go first',
    givenUp.metadata({ labels: { 'ridgeline.dev/role': 'primary' } }),
    { ready: 'Decommissioning' },
  ],
  [
    'deleted, protected: it is looked after as before',
    aServer().operational().with({ health: passed }).deleting().spec({ deletionProtection: true }),
    { ready: 'Operational' },
  ],
  [
    'deleted before it had a machine',
    aServer().deleting(),
    { ready: 'Terminated', action: 'remove-finalizer' },
  ],
  [
    'deleted while a launch is on its way',
    aServer().asking().answered({ outcome: 'InFlight' }).deleting(),
    { ready: 'Decommissioning' },
  ],
  [
    'deleted while a launch is on its way that then failed',
    aServer().asking().answered({ outcome: 'Failed' }).deleting(),
    { ready: 'Terminated', action: 'remove-finalizer' },
  ],
  [
    'deleted while its boot scripts run',
    aServer().booting().deleting(),
    { ready: 'Decommissioning', action: 'cancel-run' },
  ],
  [
    'deleted while load balancers still use it',
    aServer().operational().deleting().with({ draining: true }),
    { ready: 'Decommissioning' },
  ],
  [
    'deleted when Operational',
    aServer().operational().deleting(),
    {
      ready: 'Decommissioning',
      records: ['decommissionTime', 'decommissionRunRef'],
      events: ['DecommissionStarted'],
    },
  ],
  [
    'deleted before it booted: nothing to take down',
    aServer().trusted().deleting(),
    { ready: 'Decommissioning', records: ['decommissionTime'], events: ['DecommissionStarted'] },
  ],
  [
    'decommissioning begins',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1' } }),
    { ready: 'Decommissioning', action: 'create-run' },
  ],
  [
    'decommission scripts run',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1') }),
    { ready: 'Decommissioning' },
  ],
  [
    'decommission scripts take longer than 180 s',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1') })
      .now(180),
    {
      ready: 'Terminating',
      records: ['terminationTime'],
      action: 'terminate',
      events: ['DecommissionTimedOut'],
    },
  ],
  [
    'decommission scripts are done',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1', finished('Completed')) }),
    { ready: 'Terminating', records: ['terminationTime'], action: 'terminate' },
  ],
  [
    'EC2 terminates it',
    aServer()
      .machine('shutting-down')
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .now(60),
    { ready: 'Terminating' },
  ],
  [
    'EC2 did not hear us: asked again',
    aServer()
      .machine()
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .now(60),
    { ready: 'Terminating', records: ['terminationTime'], action: 'terminate' },
  ],
  [
    'it is gone',
    aServer()
      .machine()
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .with({ machine: { state: 'gone', because: 'it was terminated' } }),
    { ready: 'Terminated', action: 'remove-finalizer', events: ['InstanceTerminated'] },
  ],
  [
    'deleted, but its machine shall stay',
    aServer().operational().deleting().spec({ deletionPolicy: 'Retain' }),
    { ready: 'Terminated', action: 'retain', events: ['InstanceRetained'] },
  ],
  [
    'deleted, but paused',
    aServer().operational().deleting().with({ suspended: true }),
    { ready: 'Suspended' },
  ],
];

testPlans(leaving);
