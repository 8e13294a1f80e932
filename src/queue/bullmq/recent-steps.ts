import type { Clock } from '../../clock.js';
import type { DraftDecision } from '../../model/decision.js';
import type { RecordUpdate, SettledDecision } from '../journal.js';

export interface SettleStep {
  readonly kind: 'settle';
  readonly key: string;
  readonly decisions: readonly SettledDecision[];
  readonly update: RecordUpdate;
  /** By ID. Undefined while it is unknown whether Redis has settled all of them. */
  revisions?: ReadonlyMap<string, number>;
}

export type JournalStep =
  | SettleStep
  | {
      readonly kind: 'record';
      readonly key: string;
      readonly drafts: readonly DraftDecision[];
      readonly replaced: readonly string[];
    };

/** A replica that is further behind is no replica that one fails over to. */
export const KEPT_MS = 30_000;
/** Some megabytes. A step without a decision counts as one. */
const KEPT_DECISIONS = 10_000;

interface FoundRevisions {
  /** Different ones. */
  readonly decisions: number;
  readonly revisions: Map<string, number>;
}

/** The last steps of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentSteps {
  readonly #clock: Clock;
  readonly #steps: { readonly at: number; readonly step: JournalStep }[] = [];
  #decisions = 0;
  /** Settlements without an answer, by decision. A repetition has the same decisions. */
  readonly #unanswered = new Map<string, Map<SettleStep, FoundRevisions>>();
  readonly #published = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(step: JournalStep): void {
    this.#steps.push({ at: this.#clock.now(), step });
    if (step.kind === 'settle') this.#expect(step);
    this.#decisions += sizeOf(step);
    this.#forget();
  }

  /** It turned out to change nothing. */
  remove(step: JournalStep): void {
    const at = this.#steps.findLastIndex((each) => each.step === step);
    if (at === -1) return;
    this.#steps.splice(at, 1);
    this.#decisions -= sizeOf(step);
  }

  settled(step: SettleStep, revisions: ReadonlyMap<string, number>): void {
    step.revisions = revisions;
    this.#expectNoMore(step);
  }

  /**
   * Redis has these. A settlement whose answer was lost was made if Redis has all its decisions: some of them may be of
   * another one.
   */
  foundSettled(found: ReadonlyMap<string, number>): void {
    for (const [id, revision] of found) {
      for (const [step, { decisions, revisions }] of this.#unanswered.get(id) ?? []) {
        revisions.set(id, revision);
        if (revisions.size === decisions) this.settled(step, revisions);
      }
    }
  }

  #expect(step: SettleStep): void {
    const ids = new Set(step.decisions.map(({ id }) => id));
    const found = { decisions: ids.size, revisions: new Map() };
    for (const id of ids) {
      const steps = this.#unanswered.get(id);
      if (steps === undefined) this.#unanswered.set(id, new Map([[step, found]]));
      else steps.set(step, found);
    }
  }

  #expectNoMore(step: SettleStep): void {
    for (const { id } of step.decisions) {
      const steps = this.#unanswered.get(id);
      steps?.delete(step);
      if (steps?.size === 0) this.#unanswered.delete(id);
    }
  }

  published(ids: readonly string[]): void {
    const now = this.#clock.now();
    for (const id of ids) this.#published.set(id, now);
    this.#forget();
  }

  isPublished(id: string): boolean {
    return this.#published.has(id);
  }

  /** In the order in which they were made. However long Redis was away, it may lack them. */
  all(): readonly JournalStep[] {
    return this.#steps.map(({ step }) => step);
  }

  #forget(): void {
    const oldest = this.#clock.now() - KEPT_MS;
    for (let first = this.#steps[0]; first !== undefined; first = this.#steps[0]) {
      if (first.at >= oldest && this.#decisions <= KEPT_DECISIONS) break;
      this.#decisions -= sizeOf(first.step);
      this.#steps.shift();
      if (first.step.kind === 'settle') this.#expectNoMore(first.step);
    }
    for (const [id, at] of this.#published) {
      if (at >= oldest && this.#published.size <= KEPT_DECISIONS) break;
      this.#published.delete(id);
    }
  }
}

function sizeOf(step: JournalStep): number {
  return Math.max(1, step.kind === 'record' ? step.drafts.length : step.decisions.length);
}
