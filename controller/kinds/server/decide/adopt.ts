/** Taking over a machine that runs already, instead of launching one: whose it was is settled before anything is done. Pure. */
import { normalEvent } from '../../../api/event-notes.ts';
import { labels } from '../../../api/meta.ts';
import { memberTag, retainedTag } from '../../../api/retained.ts';
import type { Server } from '../../../api/server.ts';
import { timestamp } from '../../../base/clock.ts';
import type { Machine } from '../../../cloud/port.ts';
import type { Adoption, Observed, Plan } from './plan.ts';
import { instanceRunning, stalled, working } from './summaries.ts';

/** A Server adopts once: when that machine is lost, the next one is launched. */
export function adopts({ server, status }: Pick<Observed, 'server' | 'status'>): boolean {
  return server.spec.adopt !== undefined && status.incarnation === undefined;
}

/** For Servers without a machine that adopt one. */
export function decideAdoption({ server, adoption, now }: Observed): Plan {
  const { adopt } = server.spec;
  if (adoption === undefined || adopt === undefined) {
    return { ready: working('Pending', 'Not looked at yet.'), recheckAfter: 0 };
  }
  if (adoption.state === 'refused')
    return { ready: stalled('Blocked', adoption.message), recheckAfter: 15_000 };
  if (adoption.state === 'waiting')
    return { ready: working('Pending', adoption.message), recheckAfter: 2_000 };
  const { machine, accountName, template, revision, sshHostKeys } = adoption;
  const text = `${adopt.instanceID}, which belonged to ${machine.tags[retainedTag] ?? ''}, is adopted.`;
  return {
    ready: working('Booting', text),
    conditions: { InstanceRunning: instanceRunning.no('Starting', text) },
    record: {
      incarnation: 1,
      instanceID: machine.id,
      accountRef: { name: accountName },
      templateName: template,
      templateRevision: revision,
      launchTime: timestamp(machine.launchTime),
      bootStartTime: timestamp(now),
      bootedTime: timestamp(now),
      sshHostKeys,
    },
    events: [normalEvent('InstanceAdopted', text)],
    action: { do: 'claim', instanceID: machine.id, tags: tagsOf(server, adoption) },
    recheckAfter: 0,
  };
}

/** It is ours by the record, and not yet by its tags. */
export function planClaim(observed: Observed, machine: Machine): Plan | undefined {
  const { server, status } = observed;
  const isMarked = (machine.tags[retainedTag] ?? '') !== '';
  const isOutdated = (machine.tags[memberTag] ?? '') !== '' && isTakenIn(observed);
  if (!(isMarked || isOutdated) || server.spec.adopt?.instanceID !== machine.id) return undefined;
  const { templateName = '', templateRevision = '' } = status;
  const tags = {
    ...tagsOf(server, { template: templateName, revision: templateRevision }),
    ...(isOutdated ? { [memberTag]: '' } : {}),
  };
  return {
    ready: working('Booting', `Taking over ${machine.id}.`),
    action: { do: 'claim', instanceID: machine.id, tags },
    recheckAfter: 1_000,
  };
}

/**
 * Its cluster has made it its own, so that what it was in another says nothing any more: it may be replaced tomorrow. One
 * that is given up before keeps the mark, for it still is what it was. A cluster that goes marks its machines itself.
 */
function isTakenIn({ server, owner }: Observed): boolean {
  const role = server.metadata.labels?.[labels.role];
  const isLeft = owner === undefined || owner.object.metadata.deletionTimestamp !== undefined;
  return !isLeft && role !== undefined && role !== 'joining';
}

function tagsOf(
  { metadata, spec }: Server,
  { template, revision }: Pick<Adoption & { readonly state: 'ready' }, 'template' | 'revision'>,
): Readonly<Record<string, string>> {
  return {
    Name: metadata.name,
    'ridgeline:namespace': metadata.namespace ?? '',
    'ridgeline:deployment': spec.deploymentRef.name,
    'ridgeline:template': template,
    'ridgeline:revision': revision,
    [retainedTag]: '',
  };
}
