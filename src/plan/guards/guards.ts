import type { Principal } from '../../model/cause.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Hold } from '../plan.js';
import { approval } from './approval.js';
import { contention } from './contention.js';
import { entrySize } from './entry-size.js';
import { freeze } from './freeze.js';
import type {
  ChangeGuard,
  GuardedChange,
  GuardFacts,
  GuardInput,
  Loss,
  LossGuard,
  Rejection,
} from './guard.js';
import { mappingDiffers } from './mapping-differs.js';
import { mode } from './mode.js';
import { narrowsOnly } from './narrows-only.js';
import { prerequisite } from './prerequisite.js';
import { recordedHold } from './recorded-hold.js';
import { revocationLimitGuard } from './revocation-limit.js';
import { storeSpace } from './store-space.js';
import { unrecorded } from './unrecorded.js';

/** The guards in their order. After a loss is held, the rest is planned again before single changes are checked. */
const GUARDS: {
  readonly losses: readonly LossGuard[];
  readonly changes: readonly ChangeGuard[];
} = {
  losses: [approval, recordedHold, unrecorded, revocationLimitGuard],
  // `storeSpace` is the last: what it leaves out must not end a hold.
  changes: [narrowsOnly, prerequisite, contention, mappingDiffers, freeze, entrySize, mode, storeSpace],
};

interface Planned<C> {
  readonly changes: readonly C[];
  readonly holds: readonly Hold[];
}

/** How the plan of one kind of object is guarded. All of it is pure. */
export interface Guardable<C extends GuardedChange, P extends Planned<C>>
  extends Pick<GuardInput<C>, 'contendedText' | 'opensLast' | 'sizeAfter' | 'toHold'> {
  readonly plan: P;
  readonly losses: readonly Loss[];
  /** The plan without the losses of these subjects. */
  readonly keeping: (kept: ReadonlySet<string>) => P;
  /** The change with who approved it; `approvals` are by the subject of the loss. */
  readonly approved: (change: C, approvals: ReadonlyMap<string, Principal>) => C;
  /**
   * The narrowing part of a change that also widens; undefined if nothing narrows or it cannot be separated. `isFrozen`: the
   * rest is made later as what it is. Otherwise the whole is remembered as written, and the rest is drift.
   */
  readonly narrowing: (change: C, isFrozen: boolean) => C | undefined;
  /** The changes that can be made without those that are held. */
  readonly without?: (changes: readonly C[], held: ReadonlySet<C>, isFrozen: boolean) => readonly C[];
}

/** A plan after the guards, with the effects of rulings. */
export interface Guarded<C, P> {
  readonly changes: readonly C[];
  readonly holds: readonly Hold[];
  /** The plan of the changes. */
  readonly plan: P;
  /** Losses that pass, by subject; each counts for the revocation limit. */
  readonly counted: readonly string[];
  /** The holds that an approval ends. They must stay recorded until the held change is made. */
  readonly used: readonly Hold[];
  /** By the subject of the loss. */
  readonly rejections: ReadonlyMap<string, Rejection>;
}

/** Applies every guard to a plan, in order. */
export function guard<C extends GuardedChange, P extends Planned<C>>(
  kind: Guardable<C, P>,
  facts: GuardFacts,
): Guarded<C, P> {
  const { passing, held, approvals } = guardLosses(kind, facts);
  const plan = held.size === 0 ? kind.plan : kind.keeping(new Set(held.keys()));
  let changes =
    approvals.size === 0 ? plan.changes : plan.changes.map((each) => kind.approved(each, approvals));
  const holds = [...plan.holds, ...held.values()];
  const opened = new Map<string, Hold>();
  let input: GuardInput<C> = { ...inputOf(kind), losses: passing, changes };
  for (const evaluate of GUARDS.changes) {
    // Every guard looks at changes alone.
    if (changes.length === 0) break;
    const verdicts = evaluate(input, facts);
    if (verdicts.size === 0) continue;
    const isFrozen = [freeze, mappingDiffers, narrowsOnly].includes(evaluate);
    const next = changes.flatMap((change) => {
      const verdict = verdicts.get(change);
      if (verdict?.do === 'approve') {
        opened.set(change.subject, kind.toHold(change, 'MappingDiffers', 'approved'));
        return { ...change, approvedBy: verdict.by };
      }
      const isOnlyWidening = verdict?.do === 'hold-widening' || verdict?.do === 'wait-widening';
      return isOnlyWidening ? (kind.narrowing(change, isFrozen) ?? change) : change;
    });
    const out = new Set(changes.filter((change, at) => verdicts.has(change) && next[at] === change));
    for (const [change, verdict] of verdicts)
      if ('reason' in verdict) holds.push(kind.toHold(change, verdict.reason, verdict.detail));
    changes = kind.without?.(next, out, isFrozen) ?? next.filter((change) => !out.has(change));
    input = { ...input, changes };
  }
  const { rulings } = facts;
  // An approved change that another guard holds is not made yet. Its own hold stays, so that the approval stays valid.
  const made = new Set(changes.map(({ subject }) => subject));
  const unmade = new Set(plan.changes.flatMap(({ subject }) => (made.has(subject) ? [] : subject)));
  const approved = passing.filter(({ approvedBy }) => approvedBy !== undefined);
  holds.push(...approved.flatMap(({ subject, hold }) => (unmade.has(subject) ? hold : [])));
  const used = [...opened].flatMap(([subject, hold]) => (made.has(subject) ? hold : []));
  holds.push(...[...opened.values()].filter((hold) => !used.includes(hold)));
  return {
    changes,
    holds,
    plan,
    counted: passing.flatMap(({ subject, isUnrecorded }) => (isUnrecorded === true ? [] : subject)),
    used: [...approved.flatMap(({ subject, hold }) => (unmade.has(subject) ? [] : hold)), ...used],
    rejections: new Map(
      [...held.keys()].flatMap((subject) => {
        const ruling = rulings.get(subject);
        return ruling === undefined ? [] : [[subject, ruling] as const];
      }),
    ),
  };
}

function guardLosses<C extends GuardedChange, P extends Planned<C>>(
  kind: Guardable<C, P>,
  facts: GuardFacts,
): {
  readonly passing: readonly Loss[];
  readonly held: ReadonlyMap<string, Hold>;
  readonly approvals: ReadonlyMap<string, Principal>;
} {
  let passing = kind.losses;
  const held = new Map<string, Hold>();
  const approvals = new Map<string, Principal>();
  for (const evaluate of passing.length === 0 ? [] : GUARDS.losses) {
    const verdicts = evaluate({ ...inputOf(kind), losses: passing }, facts);
    passing = passing.flatMap((loss) => {
      const verdict = verdicts.get(loss);
      if (verdict === undefined) return loss;
      if (verdict.do === 'approve') {
        approvals.set(loss.subject, verdict.by);
        return { ...loss, approvedBy: verdict.by };
      }
      if ('reason' in verdict)
        held.set(loss.subject, { ...loss.hold, reason: verdict.reason, detail: verdict.detail });
      return [];
    });
  }
  return { passing, held, approvals };
}

function inputOf<C extends GuardedChange, P extends Planned<C>>(kind: Guardable<C, P>): GuardInput<C> {
  const { losses, plan, contendedText, opensLast, toHold, sizeAfter } = kind;
  return { losses, changes: plan.changes, contendedText, opensLast, toHold, ...definedFields({ sizeAfter }) };
}
