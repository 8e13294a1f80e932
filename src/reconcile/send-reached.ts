import { isAclActive } from '../apply/acl/acl-state.js';
import { causeOf } from '../apply/decision-drafts.js';
import { clientKey, formatKey } from '../model/key.js';
import type { Cause, Evidence, Job, Trigger } from '../model/trigger.js';
import { type ClientId, clientText } from '../plan/world.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import { aclTriggersOf } from './acl/fleet-acl.js';
import type { ReconcilerDeps } from './deps.js';
import { type Reached, reachTriggers } from './fan-out.js';
import { holdTriggers } from './holds.js';

/** What a complete read of a directory found. */
export interface Found {
  readonly reaches: readonly Reached[];
  readonly touched: Touched;
  readonly isFirst: boolean;
  /** All that was told of one client. */
  readonly about: (clientId: string) => readonly Evidence[];
}

/**
 * Sends on what a complete read reaches: what is lost first, and what is gained once its clients may log in. Resolves with
 * why ACL objects could not be read, which kept no intention from being looked at.
 */
export async function sendReached(
  provider: string,
  { reaches, touched, isFirst, about }: Found,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<unknown> {
  // Who only gains may have logins to be made before an intention opens.
  const mayWait = ({ urgent, evidence }: Reached) => isAclActive(deps) && !urgent && evidence.length === 0;
  const first = reachTriggers(
    provider,
    reaches.filter((reach) => !mayWait(reach)),
    job,
  );
  deps.queue.note(first);
  const opening = reaches.filter(mayWait).map(({ clientId }) => clientText({ provider, clientId }));
  for (const text of opening) deps.acl.opening.add(text);
  let aclFailure: unknown;
  try {
    await deps.queue.add([
      ...first,
      ...claimTriggers(touched, job, deps),
      // Holds of an earlier process whose reason is gone are about nothing that this read would show.
      ...(isFirst ? await holdTriggers(causeOf(job), deps) : []),
    ]);
    const said = {
      provider,
      clients: reaches.map(({ clientId }) => ({ provider, clientId })),
      isFirst,
      evidenceOf: ({ clientId }: ClientId) => about(clientId),
    };
    const ofAcl = await aclTriggersOf(said, deps, fullReadCause(job), signal).catch((error: unknown) => {
      aclFailure = error;
      return [];
    });
    // Their jobs send their destinations on once they may log in.
    const sendOn = new Set(ofAcl.map((trigger) => formatKey(trigger.key)));
    for (const text of opening) deps.acl.opening.delete(text);
    for (const { key: to } of ofAcl)
      if (to.kind === 'client')
        deps.acl.opening.add(clientText({ provider: to.provider, clientId: to.value }));
    const waiting = reaches.filter(
      (reach) => mayWait(reach) && !sendOn.has(formatKey(clientKey(provider, reach.clientId))),
    );
    await deps.queue.add([...ofAcl, ...reachTriggers(provider, waiting, job)]);
  } catch (error) {
    // The difference would be forgotten: make the directory unknown, so that the next read compares everything.
    deps.world.forgetDirectory(provider);
    for (const text of opening) deps.acl.opening.delete(text);
    throw error;
  }
  return aclFailure;
}

/** For clients' jobs, which need not read again what was just read. */
function fullReadCause(job: Job): Cause {
  return { ...causeOf(job), kind: 'full-read' };
}

/** The clients whose claims are worth something else now: their jobs make the records and tell the holds. */
function claimTriggers(touched: Touched, job: Job, deps: ReconcilerDeps): readonly Trigger[] {
  return claimStatusTriggers(deps.world, touched, fullReadCause(job)).filter(
    ({ key }) => key.kind === 'client',
  );
}
