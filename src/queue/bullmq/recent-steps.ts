import type { Clock } from '../../clock.js';
import type { DraftDecision } from '../../model/decision.js';
import type { RecordUpdate, SettledDecision } from '../journal.js';

export interface SettleStep {
  readonly kind: 'settle';
  readonly key: string;
  readonly decisions: readonly SettledDecision[];
  readonly update: RecordUpdate;
  /** By ID. Undefined until Redis has answered. */
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
const KEPT_MS = 30_000;
/** Some megabytes. A step without a decision counts as one. */
const KEPT_DECISIONS = 10_000;

/** The last steps of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentSteps {
  readonly #clock: Clock;
  readonly #steps: { readonly at: number; readonly step: JournalStep }[] = [];
  #decisions = 0;
  readonly #published = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(step: JournalStep): void {
    this.#steps.push({ at: this.#clock.now(), step });
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
    for (let [first] = this.#steps; first !== undefined; [first] = this.#steps) {
      if (first.at >= oldest && this.#decisions <= KEPT_DECISIONS) break;
      this.#decisions -= sizeOf(first.step);
      this.#steps.shift();
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
