/** What a ScriptRun says of itself: why it waits, how far it is, and how it has ended. */
import { labels } from '../../../../controller/api/meta.ts';
import { scriptRunKind } from '../../../../controller/api/script-run.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { namespace, type Site, words } from '../../../builders/site.ts';
import { testConditions } from '../condition-tables.ts';
import {
  conditionsOf,
  ended,
  exited,
  interrupted,
  lost,
  queued,
  running,
  type Scene,
  untrusted,
} from './conditions-scene.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name) => running(name)) as [Result, Result, Result];
type Result = ReturnType<typeof running>;

/** One server `web`, about whose job this is seen. */
const seen = (look: ReturnType<typeof exited>, spec: object = {}): Scene => ({
  results: [running('web')],
  seen: { web: { look } },
  spec,
});
const done: Scene = seen(exited(0));
const failed: Scene = seen(exited(3));
const canceled: Scene = seen(exited(143, { canceled: true }), { cancel: true });
const under: Scene = { results: [running('web')] };
const operation = { operation: 'app' };
const early: Scene = { spec: { ...operation, target: { server: 'new' } }, seconds: 9 };
const missing: Scene = { ...early, seconds: 10 };
/** Long enough for everything that waits for objects that may still come. */
const late = 11;
const edit = (patch: object) => (site: Site) => {
  site.kube.edit(serverKind, { namespace, name: 'web' }, patch);
};
const inArray = edit({ metadata: { labels: { [labels.array]: 'app' } } });
const addRival = (site: Site) => {
  inArray(site);
  site.kube.seed(scriptRunKind, {
    ...words(scriptRunKind),
    metadata: { namespace, name: 'earlier' },
    spec: { ...operation, target: { array: 'app' }, drain: true } as never,
  });
};
const rival: Scene = { spec: { ...operation, target: { array: 'app' }, drain: true }, arrange: addRival };
const over = 'It is over; create a new ScriptRun to try again.';

testConditions<'ScriptRun', Scene>({
  kind: 'ScriptRun',
  conditionsOf,
  rows: {
    Succeeded: [
      // It cannot begin.
      ['its server may still come', early, 'Unknown', 'Queued', 'Waiting: Server/new does not exist.'],
      ['its server does not come', missing, 'False', 'TargetNotFound', 'Server/new does not exist.'],
      [
        'its array has no servers',
        { spec: { ...operation, target: { array: 'app' } }, seconds: late },
        'False',
        'TargetNotFound',
        'serverarray/app has no servers.',
      ],
      [
        'its server is not Operational',
        { spec: operation, seconds: late, arrange: edit({ status: { conditions: [] } }) },
        'False',
        'NoOperationalServers',
        'Not Operational: web.',
      ],
      [
        'the template has no such operation',
        { spec: { operation: 'gone' } },
        'False',
        'OperationNotFound',
        "The template of this server has no operation 'gone' (it has: app, asking).",
      ],
      [
        'a script may still come',
        { spec: { scriptRef: { name: 'gone' } } },
        'Unknown',
        'Queued',
        'Waiting: Script/gone does not exist.',
      ],
      [
        'there is no such script',
        { spec: { scriptRef: { name: 'gone' } }, seconds: late },
        'False',
        'ScriptNotFound',
        'Script/gone does not exist.',
      ],
      [
        'the script is broken',
        { spec: { scriptRef: { name: 'broken' } }, seconds: late },
        'False',
        'ScriptInvalid',
        'Script/broken: ConfigMap gone does not exist.',
      ],
      [
        'no level sets an input',
        { spec: { operation: 'asking' } },
        'False',
        'RequiredInputMissing',
        'Script asking requires RELEASE; no level sets it.',
      ],
      [
        'its only server has no host key',
        { spec: operation, seconds: late, arrange: edit({ status: { sshHostKeys: null } }) },
        'False',
        'Unreachable',
        'Server/web has no address or no verified host key yet.',
      ],
      [
        'another run takes servers of the array out of service',
        rival,
        'Unknown',
        'Queued',
        'Waiting: ScriptRun/earlier takes servers of ServerArray/app out of service.',
      ],

      // It is under way.
      ['it has just begun', { spec: operation }, 'Unknown', 'Running', 'web: waiting to begin.'],
      ['its script runs', under, 'Unknown', 'Running', 'web: step app, attempt 1.'],
      [
        'in a later attempt',
        { results: [running('web', 2)] },
        'Unknown',
        'Running',
        'web: step app, attempt 2.',
      ],
      [
        'its host is out of sight, for now',
        seen(lost),
        'Unknown',
        'Running',
        'web: step app, attempt 1: connect ETIMEDOUT',
      ],
      [
        'one of three is done, and the next begins',
        { results: [ended('a', 'Succeeded'), queued('b'), queued('c')] },
        'Unknown',
        'Running',
        '1 of 3 servers done, 1 under way.',
      ],
      [
        'of several, one is in trouble',
        { results: [a, b, queued('c')], seen: { b: { look: lost } }, spec: { parallelism: 2 } },
        'Unknown',
        'Running',
        '0 of 3 servers done, 2 under way. b: connect ETIMEDOUT',
      ],
      [
        'a person wants it to stop, and the script has not stopped yet',
        { ...under, spec: { cancel: true } },
        'Unknown',
        'Running',
        'web: step app, attempt 1.',
      ],

      // It is over.
      ['its script ends well', done, 'True', 'Completed', 'Succeeded on 1 server.'],
      [
        'on all servers',
        { results: [ended('a', 'Succeeded'), b], seen: { b: { look: exited(0) } } },
        'True',
        'Completed',
        'Succeeded on 2 servers.',
      ],
      [
        'on all that were not deleted',
        { results: [ended('a', 'Succeeded'), b], seen: { b: { look: exited(1), isGone: true } } },
        'True',
        'Completed',
        'Succeeded on 1 server. 1 deleted meanwhile.',
      ],
      [
        'all were deleted',
        { results: [a], seen: { a: { look: lost, instanceID: undefined, isGone: true } } },
        'False',
        'TargetNotFound',
        'All its servers were deleted meanwhile.',
      ],
      [
        'a wish to stop that came too late changes nothing',
        seen(exited(0), { cancel: true }),
        'True',
        'Completed',
        'Succeeded on 1 server.',
      ],
      [
        'its script fails',
        failed,
        'False',
        'ScriptFailed',
        '1 of 1 server failed: web: Step app (deploy) exited 3.',
      ],
      [
        'it fails in its second attempt',
        { results: [running('web', 2)], seen: { web: { look: exited(3) } } },
        'False',
        'ScriptFailed',
        '1 of 1 server failed: web: Step app (deploy) exited 3 in attempt 2.',
      ],
      [
        'it fails on one, so the others do not begin',
        { results: [a, queued('b'), queued('c')], seen: { a: { look: exited(3) } } },
        'False',
        'ScriptFailed',
        '1 of 3 servers failed: a: Step app (deploy) exited 3. Not run on 2.',
      ],
      [
        'several fail: the first one counts, with its log',
        {
          results: [
            ended('a', 'TimedOut', { message: 'It took longer.', logURL: 's3://state/a.log' }),
            ended('b', 'Failed', { message: 'Exited 3.' }, 4),
            ended('c', 'Succeeded', {}, 9),
          ],
        },
        'False',
        'TimedOut',
        '2 of 3 servers failed: a: It took longer. Log: s3://state/a.log',
      ],
      [
        'its script takes too long',
        seen(exited(124, { timedOut: true })),
        'False',
        'TimedOut',
        '1 of 1 server failed: web: Step app (deploy) took longer than 60 s.',
      ],
      [
        'it takes longer than this run allows',
        seen(exited(124, { timedOut: true }), { timeoutSeconds: 5 }),
        'False',
        'TimedOut',
        '1 of 1 server failed: web: Step app (deploy) took longer than 5 s.',
      ],
      [
        'the time for decommissioning is over',
        {
          ...seen(exited(143, { canceled: true }), { phase: 'Decommission', target: { server: 'web' } }),
          seconds: 150,
        },
        'False',
        'TimedOut',
        '1 of 1 server failed: web: Step app was stopped.',
      ],
      [
        'its host is out of sight for too long',
        { ...seen(lost), seconds: 110 },
        'False',
        'Unreachable',
        '1 of 1 server failed: web: Step app was lost from sight. connect ETIMEDOUT',
      ],
      [
        'its host shows another key',
        seen(untrusted),
        'False',
        'Unreachable',
        '1 of 1 server failed: web: Step app was lost from sight. another host key',
      ],
      [
        'its host takes no job for five minutes',
        {
          results: [{ ...running('web', 1, 'Queued'), message: 'connect ETIMEDOUT' }],
          seen: { web: { look: { state: 'unknown' } } },
          seconds: 290,
        },
        'False',
        'Unreachable',
        '1 of 1 server failed: web: Step app could not be started for 300 s. connect ETIMEDOUT',
      ],
      [
        'one has no machine',
        { results: [queued('web')], seen: { web: { instanceID: undefined } } },
        'False',
        'Unreachable',
        '1 of 1 server failed: web: The server has no machine.',
      ],
      [
        'its host restarts',
        seen(interrupted),
        'False',
        'Interrupted',
        '1 of 1 server failed: web: The host restarted during step app (deploy); nobody knows how far it came.',
      ],
      [
        'its host has lost its memory',
        seen({ state: 'unknown' }),
        'False',
        'Interrupted',
        /nobody knows how far it came\.$/,
      ],
      [
        'the machine is another one by now',
        { results: [running('web')], seen: { web: { instanceID: 'i-other' } } },
        'False',
        'Interrupted',
        '1 of 1 server failed: web: The machine is gone; nobody knows how far it came.',
      ],
      ['a person stops it', canceled, 'False', 'Canceled', 'Canceled; 0 of 1 servers had succeeded.'],
      [
        'a person stops it before the last',
        { results: [ended('a', 'Succeeded'), queued('b')], spec: { cancel: true } },
        'False',
        'Canceled',
        'Canceled; 1 of 2 servers had succeeded.',
      ],
      [
        'stopped by somebody on the host',
        seen(exited(143, { canceled: true })),
        'False',
        'Canceled',
        'Canceled; 0 of 1 servers had succeeded.',
      ],
    ],
    Finished: [
      ['its server may still come', early, 'False', 'Queued', 'Waiting: Server/new does not exist.'],
      ['its script runs', under, 'False', 'Running', 'web: step app, attempt 1.'],
      ['its script ends well', done, 'True', 'Completed', 'Succeeded on 1 server.'],
      ['its script fails', failed, 'True', 'Failed', /^1 of 1 server failed: web/],
      ['a person stops it', canceled, 'True', 'Failed', 'Canceled; 0 of 1 servers had succeeded.'],
      ['it never could begin', missing, 'True', 'Failed', 'Server/new does not exist.'],
      [
        'all were deleted',
        { results: [ended('c', 'Skipped')], seen: {} },
        'True',
        'Failed',
        'All its servers were deleted meanwhile.',
      ],
      [
        'one goes on after another has failed',
        { results: [a, c], seen: { a: { look: exited(3) } }, spec: { parallelism: 2 } },
        'False',
        'Running',
        '1 of 2 servers done, 1 under way.',
      ],
    ],
  },
  passing: {
    Reconciling: [
      ['it waits', rival, 'True', 'Queued', /^Waiting: ScriptRun\/earlier/],
      ['it runs', under, 'True', 'Running', 'web: step app, attempt 1.'],
      ['it is over', done, 'absent'],
      ['it has failed', failed, 'absent'],
    ],
    Stalled: [
      ['it waits', rival, 'absent'],
      ['it runs', under, 'absent'],
      ['it is over', done, 'absent'],
      ['it has failed', failed, 'True', 'ScriptFailed', over],
      ['a person stopped it', canceled, 'True', 'Canceled', over],
      ['it never could begin', missing, 'True', 'TargetNotFound', over],
    ],
  },
});
