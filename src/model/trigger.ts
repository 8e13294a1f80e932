import type { Cause } from './cause.js';
import { type Key, parseKey } from './key.js';
import type { RevocationOrder } from './order.js';

/**
 * What the identity provider itself reported about a removal. It is stored with the trigger, so it is as durable as the
 * job. A removal with evidence is explicit and passes the mass guard; a removal without evidence is inferred from a read.
 * `clients` are client IDs of `provider`; `scopes` are scope names that every client lost. `internalIds` are the identity
 * provider's own IDs of clients, if the event has no client ID; the client that a read finds for one counts as named.
 * `people` are subjects whose memberships or accounts changed; `groups` are groups or roles, by their names in the mapping,
 * whose members changed.
 */
export interface Evidence {
  readonly provider: string;
  readonly clients?: readonly string[];
  readonly internalIds?: readonly string[];
  readonly scopes?: readonly string[];
  /** The API of `scopes`; absent if they belong to no API. */
  readonly api?: string;
  readonly people?: readonly string[];
  readonly groups?: readonly string[];
}

/**
 * A hint that a key may have changed. `urgent` puts it before ordinary work, because it may be a revocation. On a provider
 * key `fullRead` requests a complete comparison with the directory; `members` requests only the members of the mapped
 * groups, which a complete comparison includes.
 */
export interface Trigger {
  readonly key: Key;
  readonly cause: Cause;
  readonly urgent?: boolean;
  /** Access is lost for certain: it goes before what may be a grant, also where no evidence says so. */
  readonly loses?: boolean;
  readonly fullRead?: boolean;
  readonly members?: boolean;
  /** A second read after an event, because a directory may have answered with old state. Without a change it does nothing. */
  readonly isRecheck?: boolean;
  readonly evidence?: readonly Evidence[];
  /** The client whose job sent the trigger. The cause applies to changes of this client. */
  readonly client?: { readonly provider: string; readonly clientId: string };
  /** The revocation order of the trigger, so that it is as durable as the job. */
  readonly order?: RevocationOrder;
}

/**
 * What proves that a client must be read now, even while its identity provider limits the rate: an order, or evidence in an
 * event that the identity provider proved.
 */
export type ReadProof = 'order' | 'evidence';

/** The queued work for a key: every trigger since its last run, oldest first. */
export interface Job {
  readonly key: Key;
  readonly triggers: readonly Trigger[];
  /** Failed runs of this key since its last success; 0 at first. */
  readonly attempts: number;
}

/** A trigger for each key that the journal names; another text in it is of no job. */
export function triggersOf(keys: Iterable<string>, cause: Cause): readonly Trigger[] {
  return [...keys].flatMap((text) => {
    const key = parseKey(text);
    return key === undefined ? [] : [{ key, cause }];
  });
}

/** Returns the job with all triggers so far, the same object until there is another. `late`: those since the last call. */
export function withLateTriggers(job: Job, late: () => readonly Trigger[]): () => Job {
  let informed = job;
  let seen: readonly Trigger[] = [];
  return () => {
    const now = late();
    // A key whose next run is asked for keeps them for that run, and gives the same each time.
    if (now.length > 0 && now !== seen) informed = { ...informed, triggers: [...informed.triggers, ...now] };
    seen = now;
    return informed;
  };
}
