import type { DraftDecision } from '../model/decision.js';
import type { KeyRecord, SettledDecision } from '../queue/journal.js';
import type { ApplyDeps } from './deps.js';
import { judgeWrites, type WriteEvidence } from './lost-answers.js';
import { settleFound, toSettled, type WriteOutcome } from './settle.js';

/** What one kind of target adds to the recovery of its writes. */
export interface RecoveredTarget extends WriteEvidence {
  /** The detail of a write that was made. */
  readonly detailOf?: (draft: DraftDecision) => Promise<string | undefined>;
  /**
   * What the key remembers of the draft's subject after it; null forgets, undefined changes nothing. `outcome` is undefined
   * for a draft that stays open. `known`: what the key remembers by now.
   */
  readonly remember?: (
    draft: DraftDecision,
    outcome: WriteOutcome['outcome'] | undefined,
    known: ReadonlyMap<string, string>,
  ) => string | null | undefined;
  /** Once they are settled: what cannot be settled is judged again. */
  readonly onJudged?: (decisions: readonly SettledDecision[], open: readonly DraftDecision[]) => void;
}

/** What is known of a key once its pending drafts are judged. */
export interface Recovered {
  readonly lastApplied: ReadonlyMap<string, string>;
  /** Drafts whose request may still reach Consul. They stay pending. */
  readonly open: readonly DraftDecision[];
}

/** Judges the writes that a crash or a lost answer left open, and settles them in one step. */
export async function recoverWrites(
  key: string,
  { pending, lastApplied }: Pick<KeyRecord, 'pending' | 'lastApplied'>,
  target: RecoveredTarget,
  deps: ApplyDeps,
): Promise<Recovered> {
  if (pending.length === 0) return { lastApplied, open: [] };
  const outcomes = judgeWrites(pending, target, deps.clock.now());
  const known = new Map(lastApplied);
  const update = new Map<string, string | null>();
  const remember = (draft: DraftDecision, outcome?: WriteOutcome['outcome']) => {
    const text = target.remember?.(draft, outcome, known);
    if (text === undefined) return;
    update.set(draft.subject, text);
    if (text === null) known.delete(draft.subject);
    else known.set(draft.subject, text);
  };
  const decisions: SettledDecision[] = [];
  for (const [draft, judged] of outcomes) {
    const detail = judged.outcome === 'applied' ? await target.detailOf?.(draft) : undefined;
    const outcome = detail === undefined ? judged : { ...judged, detail };
    decisions.push(toSettled(draft, outcome, deps.clock.now()));
    remember(draft, outcome.outcome);
    deps.logger.warn(
      { subject: draft.subject, outcome: outcome.outcome, decision: draft.id },
      'settled a write that a crash or a lost answer left open',
    );
  }
  const open = pending.filter((draft) => !outcomes.has(draft));
  for (const draft of open) remember(draft);
  await settleFound(key, decisions, { lastApplied: update }, deps);
  target.onJudged?.(decisions, open);
  return { lastApplied: known, open };
}
