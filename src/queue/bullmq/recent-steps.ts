import type { Clock } from '../../clock.js';
import type { Value } from './gathered-script.js';

/** As texts, which take less room and time than the decisions themselves. */
export interface SettleStep {
  readonly kind: 'settle';
  readonly key: string;
  /** Of the decisions, which may repeat. */
  readonly ids: readonly string[];
  /** Of each decision: id, subject, JSON. */
  readonly decisions: readonly Value[];
  readonly update: SettleUpdate;
  /** By index of `ids`; 0 of one that another step has settled. Undefined while it is unknown whether Redis has settled all. */
  revisions?: readonly number[];
}

/** What else a settlement writes: `values` are subject, digest or nothing, and then subject, hold or nothing. */
export interface SettleUpdate {
  readonly digests: number;
  readonly holds: number;
  readonly values: readonly Value[];
}

export type JournalStep =
  | SettleStep
  | { readonly kind: 'record'; readonly drafts: number; readonly values: readonly Value[] };

/** A replica that is further behind is no replica that one fails over to. */
export const KEPT_MS = 30_000;
/** Some megabytes. A step without a decision counts as one. */
const KEPT_DECISIONS = 10_000;

/** The last steps of this process, because a Redis that takes over may lack what the one before had acknowledged. */
export class RecentSteps {
  readonly #clock: Clock;
  readonly #steps: { readonly at: number; readonly step: JournalStep }[] = [];
  #decisions = 0;
  /** Settlements without an answer, by decision. A repetition has the same decisions. */
  readonly #unanswered = new Map<string, readonly SettleStep[]>();
  /** What the outbox has of some of them, by decision. */
  readonly #found = new Map<SettleStep, { readonly most: number; readonly revisions: Map<string, number> }>();
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

  settled(step: SettleStep, revisions: readonly number[]): void {
    step.revisions = revisions;
    this.#expectNoMore(step);
  }

  /**
   * Redis has this one. A settlement whose answer was lost was made if Redis has all its decisions: some of them may be of
   * another one.
   */
  foundSettled(id: string, revision: number): void {
    for (const step of this.#unanswered.get(id) ?? []) {
      const found = this.#found.get(step) ?? { most: new Set(step.ids).size, revisions: new Map() };
      this.#found.set(step, found);
      const { most, revisions } = found;
      revisions.set(id, revision);
      if (revisions.size < most) continue;
      this.settled(
        step,
        step.ids.map((each) => revisions.get(each) ?? 0),
      );
    }
  }

  #expect(step: SettleStep): void {
    for (const id of step.ids) this.#unanswered.set(id, [...(this.#unanswered.get(id) ?? []), step]);
  }

  #expectNoMore(step: SettleStep): void {
    this.#found.delete(step);
    for (const id of step.ids) {
      const left = this.#unanswered.get(id)?.filter((each) => each !== step) ?? [];
      if (left.length === 0) this.#unanswered.delete(id);
      else this.#unanswered.set(id, left);
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
  return Math.max(1, step.kind === 'record' ? step.drafts : step.ids.length);
}
