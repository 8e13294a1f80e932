import { isAclActive } from '../acl/apply/acl-state.js';
import { aclTriggersOf } from '../acl/job/acl-triggers.js';
import { causeOf } from '../apply/decision-drafts.js';
import { holdTriggers } from '../apply/record-holds.js';
import type { Cause } from '../model/cause.js';
import { clientKey, formatKey } from '../model/key.js';
import type { Evidence, Job, Trigger } from '../model/trigger.js';
import type { Reached } from '../plan/reached.js';
import { type ClientId, clientText } from '../plan/world.js';
import { hasClaimWork } from '../state/client-claims.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import type { ReachedDeps } from './deps.js';
import { reachTriggers } from './fan-out.js';

/** The result of a complete read of a directory. */
interface DirectoryRead {
  readonly reaches: readonly Reached[];
  readonly touched: Touched;
  readonly isFirst: boolean;
  /** All evidence about one client. */
  readonly about: (clientId: string) => readonly Evidence[];
}

/**
 * Queues the keys that a complete read reaches: losses first, and gains once their clients may log in. Resolves with the
 * error if ACL objects could not be read, which does not delay any intention.
 */
export async function sendReached(
  provider: string,
  { reaches, touched, isFirst, about }: DirectoryRead,
  job: Job,
  deps: ReachedDeps,
  signal: AbortSignal,
): Promise<unknown> {
  // A client that only gains may need its login before its intention opens.
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
      ...(isFirst
        ? firstClaimTriggers(provider, touched, reaches, job, deps)
        : claimTriggers(touched, job, deps)),
      // An earlier process may have recorded holds whose reason is gone, which this read does not show.
      ...(isFirst ? await holdTriggers(causeOf(job), deps) : []),
    ]);
    const said = {
      provider,
      // Those of another provider may name the same service as one of this.
      clients: [...reaches.map(({ clientId }) => ({ provider, clientId })), ...touched.clients],
      isFirst,
      evidenceOf: ({ clientId }: ClientId) => about(clientId),
    };
    const ofAcl = await aclTriggersOf(said, deps, fullReadCause(job), signal).catch((error: unknown) => {
      aclFailure = error;
      return [];
    });
    // The jobs of these clients queue their destinations once the client may log in.
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
    // The difference would be lost: the directory becomes unknown, so that the next read compares everything.
    deps.world.forgetDirectory(provider);
    for (const text of opening) deps.acl.opening.delete(text);
    throw error;
  }
  return aclFailure;
}

/** The cause for clients' jobs, which then do not read the client again. */
function fullReadCause(job: Job): Cause {
  return { ...causeOf(job), kind: 'full-read' };
}

/** The clients with claims whose status changed: their jobs write the claim records and record the holds. */
function claimTriggers(touched: Touched, job: Job, deps: ReachedDeps): readonly Trigger[] {
  return claimStatusTriggers(deps.world, touched, fullReadCause(job)).filter(
    ({ key }) => key.kind === 'client',
  );
}

/**
 * The same after the first read, when every claim is new. The job of a client whose claims need no record and have no hold
 * would only queue the destinations that are queued already: with thousands of clients it would delay their first writes.
 * Clients with recorded holds or unsettled writes are queued without this.
 */
function firstClaimTriggers(
  provider: string,
  touched: Touched,
  reaches: readonly Reached[],
  job: Job,
  deps: ReachedDeps,
): readonly Trigger[] {
  const triggers = claimTriggers(touched, job, deps);
  if (isAclActive(deps)) return triggers;
  const reached = new Set(reaches.map(({ clientId }) => formatKey(clientKey(provider, clientId))));
  return triggers.filter(({ key, urgent }) => {
    const isQueued = key.kind === 'client' && reached.has(formatKey(key)) && urgent !== true;
    return (
      !isQueued || hasClaimWork({ provider: key.provider, clientId: key.value }, deps.world, deps.clock.now())
    );
  });
}
