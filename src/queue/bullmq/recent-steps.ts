import type { Clock } from '../../clock.js';
import type { DraftDecision } from '../../model/decision.js';
import type { RecordUpdate, SettledDecision } from '../journal.js';

export type JournalStep =
  | {
      readonly kind: 'record';
      readonly key: string;
      readonly drafts: readonly DraftDecision[];
      readonly replaced: readonly string[];
    }
  | {
      readonly kind: 'settle';
      readonly key: string;
      readonly decisions: readonly SettledDecision[];
      readonly update: RecordUpdate;
      /** By ID. */
      readonly revisions: ReadonlyMap<string, number>;
    };

/** A replica that is further behind is no replica that one fails over to. */
const KEPT_MS = 30_000;
const KEPT_STEPS = 5_000;

/** The last steps of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentSteps {
  readonly #clock: Clock;
  readonly #steps: { readonly at: number; readonly step: JournalStep }[] = [];
  readonly #published = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(step: JournalStep): void {
    this.#steps.push({ at: this.#clock.now(), step });
    this.#forget();
  }

  published(ids: readonly string[]): void {
    const now = this.#clock.now();
    for (const id of ids) this.#published.set(id, now);
    this.#forget();
  }

  isPublished(id: string): boolean {
    return this.#published.has(id);
  }

  /** In the order in which they were made. */
  all(): readonly JournalStep[] {
    this.#forget();
    return this.#steps.map(({ step }) => step);
  }

  #forget(): void {
    const oldest = this.#clock.now() - KEPT_MS;
    const isKept = this.#steps.findIndex(({ at }) => at >= oldest);
    const old = isKept < 0 ? this.#steps.length : isKept;
    this.#steps.splice(0, Math.max(old, this.#steps.length - KEPT_STEPS));
    for (const [id, at] of this.#published) {
      if (at >= oldest && this.#published.size <= 2 * KEPT_STEPS) break;
      this.#published.delete(id);
    }
  }
}
