import { RejectedRemovals } from './rejected-removals.js';

/** The name of the durable fact. */
const FACT = 'guard/window';

interface Removal {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly edges: number;
  /** The edge, where it is a single one; taken twice it still counts once. */
  readonly subject?: string;
}

/**
 * Removals by inference within the sliding window of the mass guard, kept in a durable fact across restarts. A single
 * edge is taken before its write and counts from the moment it is made: until then the fleet's plans count it, which
 * still want it gone. Counted in both places, a loss well below the limit would be held halfway.
 */
export class RevocationWindow {
  readonly rejections: RejectedRemovals;
  readonly #windowMs: number;
  #removals: readonly Removal[] = [];
  /** Subjects taken and not known to be made. */
  readonly #open = new Set<string>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.rejections = new RejectedRemovals(windowMs);
  }

  /** Edges removed within the window that ends now. */
  used(now: number): number {
    // A removal in the future was made before the clock was set back. It would count until the clock is there again.
    this.#removals = this.#removals
      .map((each) => (each.at > now ? { ...each, at: now } : each))
      .filter(({ at }) => at > now - this.#windowMs);
    return this.#removals
      .filter(({ subject }) => subject === undefined || !this.#open.has(subject))
      .reduce((sum, { edges }) => sum + edges, 0);
  }

  /** Counts removals that are not among what the fleet's plans want. */
  addRemovals(edges: number, now: number): void {
    if (edges > 0) this.#removals = [...this.#removals, { at: now, edges }];
  }

  /** Call it before the write of an edge, and then `made` or `giveBack`; a process that dies between counts it. */
  reserveEdge(subject: string, now: number): void {
    this.#removals = [
      ...this.#removals.filter((each) => each.subject !== subject),
      { at: now, edges: 1, subject },
    ];
    this.#open.add(subject);
  }

  /** In the same turn in which the world learns that the edge is gone. */
  confirmEdge(subject: string): void {
    this.#open.delete(subject);
  }

  /** It is unknown whether an edge that an earlier process reserved was removed: the fleet's plans count it. */
  reopenEdge(subject: string): void {
    this.#open.add(subject);
  }

  /** The edge was not removed after all. */
  releaseEdge(subject: string): void {
    this.#open.delete(subject);
    this.#removals = this.#removals.filter((each) => each.subject !== subject);
  }

  /** Call it before the writes that were counted are made. */
  async store(keyValues: { readonly set: (name: string, value: string) => Promise<void> }): Promise<void> {
    await keyValues.set(FACT, this.toText());
  }

  async restoreFrom(keyValues: {
    readonly get: (name: string) => Promise<string | undefined>;
  }): Promise<void> {
    this.restore(await keyValues.get(FACT));
  }

  toText(): string {
    return JSON.stringify(this.#removals);
  }

  /** Takes in what an earlier process wrote; a text of another form is as good as none. */
  restore(text: string | undefined): void {
    if (text === undefined) return;
    try {
      const value: unknown = JSON.parse(text);
      if (!Array.isArray(value)) return;
      // Taken in anew with each attempt to start: never twice.
      this.#removals = value.flatMap((each: unknown) => parseRemoval(each));
    } catch {
      // Not JSON: nothing can be restored.
    }
  }
}

function parseRemoval(value: unknown): readonly Removal[] {
  if (typeof value !== 'object' || value === null) return [];
  const { at, edges, subject }: { at?: unknown; edges?: unknown; subject?: unknown } = value;
  if (typeof at !== 'number' || typeof edges !== 'number') return [];
  return [{ at, edges, ...(typeof subject === 'string' ? { subject } : {}) }];
}
