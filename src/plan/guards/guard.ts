import type { Principal } from '../../model/cause.js';
import type { ChangeReason, HoldReason } from '../../model/decision.js';
import type { Freeze } from '../../model/freeze.js';
import type { Mapping } from '../../model/rule.js';
import type { WritePolicy } from '../mode.js';
import type { Hold, PlannedClient } from '../plan.js';

/** Counts of the fleet: edges, clients with ACL objects, and memberships. */
export interface RevocationBudget {
  /** Owned at the start of the window. */
  readonly ownedAtStart: number;
  /** Inferred removals already made within the window. */
  readonly used: number;
  /** Inferred removals in all current plans of the fleet. */
  readonly planned: number;
  readonly maxRevocations: Mapping['maxRevocations'];
  /** `used` and `planned` with all removals of each destination, also beyond its share; for the text of the holds. */
  readonly lost?: number;
  /** The same for this destination alone; absent for ACL objects. */
  readonly here?: { readonly used: number; readonly planned: number };
}

/** What guards see of a change, for every kind of object. */
export interface GuardedChange {
  readonly subject: string;
  readonly reason: ChangeReason;
  readonly narrows: boolean;
  readonly widens: boolean;
  /** A break-glass grant opens it, which a freeze does not hold. */
  readonly breakGlass?: { readonly passesFreeze: boolean };
  /** Removes access only because a read did not show a fact. */
  readonly isInferred: boolean;
  /** Who approved it although the revocation limit held it. */
  readonly approvedBy?: Principal;
  readonly client?: PlannedClient;
}

/**
 * A change that a person may have to approve, ruled on and held as one: an inferred loss, which is counted too (an edge,
 * everything that a client's ACL objects lose, or a person's role), or a change of an edge without a record.
 */
export interface Loss {
  readonly subject: string;
  /** The hold if it is held. Rulings refer to this hold. */
  readonly hold: Hold;
  /** It is no inferred loss, and never counted. */
  readonly isUnrecorded?: boolean;
  readonly approvedBy?: Principal;
}

/** A person's decision about a held loss. */
export interface Ruling {
  readonly verdict: 'approved' | 'rejected';
  readonly by: Principal;
  /** ISO 8601. */
  readonly at: string;
}

/** A person's rejection of an inferred loss. */
export type Rejection = Pick<Ruling, 'by' | 'at'>;

/** Everything that guards need besides the plan, collected beforehand. */
export interface GuardFacts {
  readonly policy: WritePolicy;
  /** By the subject of the loss. */
  readonly rulings: ReadonlyMap<string, Ruling>;
  /** The details of inferred losses that the daemon holds, by subject, in a plan beside it. */
  readonly recordedHolds?: ReadonlyMap<string, string>;
  /** Undefined if no removal is inferred. */
  readonly budget: RevocationBudget | undefined;
  readonly isContended: (subject: string) => boolean;
  /** In effect now. */
  readonly freeze: Freeze | undefined;
  /** Undefined unless the leader's mapping is in doubt. */
  readonly doubt?: MappingDoubtFacts | undefined;
  /** Consul was not read completely yet. */
  readonly narrowsOnly?: boolean;
  /** Clients whose ACL objects are still to be written, by `clientText`. */
  readonly opening: ReadonlySet<string>;
  /** The store has no room but the space that it keeps back for revocations. */
  readonly isStoreLow: boolean;
}

/** What is held while the leader's mapping is in doubt. */
export interface MappingDoubtFacts {
  /** Whether the opening of this subject may follow from the mapping alone. */
  readonly isHeld: (subject: string) => boolean;
  readonly approvedBy: (hold: Hold) => Principal | undefined;
}

/** The input of one guard. */
export interface GuardInput<C extends GuardedChange> {
  readonly losses: readonly Loss[];
  readonly changes: readonly C[];
  /** The detail of the hold `Contended`. */
  readonly contendedText: string;
  /** Whether widening changes wait for the client's ACL objects. */
  readonly opensLast: boolean;
  readonly toHold: (change: C, reason: HoldReason, detail: string) => Hold;
  /** Bytes of the entry with these changes made; absent where there is no limit. */
  readonly sizeAfter?: (changes: readonly C[]) => number;
}

export type GuardVerdict =
  | { readonly do: 'hold'; readonly reason: HoldReason; readonly detail: string }
  /** The narrowing part passes, and the rest is held. */
  | { readonly do: 'hold-widening'; readonly reason: HoldReason; readonly detail: string }
  | { readonly do: 'approve'; readonly by: Principal }
  /** The change is left out without a hold: what it waits for triggers a new plan. */
  | { readonly do: 'wait' }
  /** The same for the widening part. The narrowing part passes. */
  | { readonly do: 'wait-widening' };

/** A pure check of losses. Losses without a verdict pass. */
export type LossGuard = <C extends GuardedChange>(
  input: GuardInput<C>,
  facts: GuardFacts,
) => ReadonlyMap<Loss, GuardVerdict>;

/** A pure check of single changes. Changes without a verdict pass. */
export type ChangeGuard = <C extends GuardedChange>(
  input: GuardInput<C>,
  facts: GuardFacts,
) => ReadonlyMap<C, GuardVerdict>;

/** The same verdict on each of them. */
export function all<T>(targets: readonly T[], verdict: GuardVerdict): ReadonlyMap<T, GuardVerdict> {
  if (targets.length === 0) return NONE;
  return new Map(targets.map((each) => [each, verdict]));
}

/** Nothing to say, as nearly always. Every write asks every guard. */
export const NONE: ReadonlyMap<never, GuardVerdict> = new Map<never, GuardVerdict>();
