import type { Principal } from '../../model/cause.js';
import type { ChangeReason, HoldReason } from '../../model/decision.js';
import type { Mapping } from '../../model/rule.js';
import type { WritePolicy } from '../mode.js';
import type { Hold, PlannedClient } from '../plan.js';

/** Counts of the fleet: edges, clients with ACL objects, and memberships. */
export interface RevocationBudget {
  /** Owned at the start of the window. */
  readonly ownedAtStart: number;
  /** Removals by inference already made within the window. */
  readonly used: number;
  /** Removals by inference that all plans of the fleet together want now. */
  readonly planned: number;
  readonly maxRevocations: Mapping['maxRevocations'];
}

/** What guards see of a change, whatever kind of object it is about. */
export interface GuardedChange {
  readonly subject: string;
  readonly reason: ChangeReason;
  readonly narrows: boolean;
  readonly widens: boolean;
  /** Takes something away only because a read did not show it. */
  readonly isInferred: boolean;
  /** Who let it pass although the revocation limit held it. */
  readonly approvedBy?: Principal;
  readonly client?: PlannedClient;
}

/**
 * A loss by inference that is counted, ruled on and held as one: an edge, everything that a client's ACL objects lose, or
 * a person's role.
 */
export interface Loss {
  readonly subject: string;
  /** What it is held as; rulings are about this hold. */
  readonly hold: Hold;
  readonly approvedBy?: Principal;
}

/** What a person said of a held loss. */
export interface Ruling {
  readonly verdict: 'approved' | 'rejected';
  readonly by: Principal;
  /** ISO 8601. */
  readonly at: string;
}

/** A person's no to a loss by inference. */
export type Rejection = Pick<Ruling, 'by' | 'at'>;

/** Everything that guards look at besides the plan, gathered beforehand. */
export interface GuardFacts {
  readonly policy: WritePolicy;
  /** By the subject of the loss. */
  readonly rulings: ReadonlyMap<string, Ruling>;
  /** Undefined where nothing goes by inference. */
  readonly budget: RevocationBudget | undefined;
  readonly isContended: (subject: string) => boolean;
  /** Clients whose ACL objects are still to be written, by `clientText`. */
  readonly opening: ReadonlySet<string>;
}

/** A plan as guards see it at their turn. */
export interface GuardInput<C extends GuardedChange> {
  readonly losses: readonly Loss[];
  readonly changes: readonly C[];
  /** What to say of a change that somebody undoes again and again. */
  readonly contendedText: string;
  /** Whether what widens comes after its client's ACL objects. */
  readonly opensLast: boolean;
  /** Bytes of the entry with these changes made; absent where there is no limit. */
  readonly sizeAfter?: (changes: readonly C[]) => number;
}

export type Verdict =
  | { readonly do: 'hold'; readonly reason: HoldReason; readonly detail: string }
  /** What narrows of it passes, and the rest is held. */
  | { readonly do: 'hold-widening'; readonly reason: HoldReason; readonly detail: string }
  | { readonly do: 'approve'; readonly by: Principal }
  /** It is left out and not told: what it waits for plans it again. */
  | { readonly do: 'wait' };

/** Judges losses. Pure; what it has no word about passes. */
export type LossGuard = <C extends GuardedChange>(
  input: GuardInput<C>,
  facts: GuardFacts,
) => ReadonlyMap<Loss, Verdict>;

/** Judges single changes. */
export type ChangeGuard = <C extends GuardedChange>(
  input: GuardInput<C>,
  facts: GuardFacts,
) => ReadonlyMap<C, Verdict>;

/** The same verdict on each of them. */
export function all<T>(targets: readonly T[], verdict: Verdict): ReadonlyMap<T, Verdict> {
  return new Map(targets.map((each) => [each, verdict]));
}
