import { RejectedRemovals } from './rejected-removals.js';

/** The name of the stored value. */
const NAME = 'guard/window';

interface Removal {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly edges: number;
  /** The edge, if it is a single one; reserved twice it counts once. */
  readonly subject?: string;
}

/**
 * Removals by inference within the sliding window of the mass guard, stored across restarts. A single edge is reserved
 * before its write and counts from the moment of the write. Until then the plans of the fleet still contain its removal
 * and count it; if both counted, a loss well below the limit would be held halfway.
 */
export class RevocationWindow {
  readonly rejections: RejectedRemovals;
  readonly #windowMs: number;
  #removals: readonly Removal[] = [];
  /** Reserved subjects that are not confirmed yet. */
  readonly #open = new Set<string>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.rejections = new RejectedRemovals(windowMs);
  }

  /** Edges removed within the window that ends now. */
  used(now: number): number {
    return this.#made(now).reduce((sum, { edges }) => sum + edges, 0);
  }

  /** Those of them whose subject begins so. */
  usedUnder(prefix: string, now: number): number {
    return this.#made(now).filter(({ subject }) => subject?.startsWith(prefix) === true).length;
  }

  #made(now: number): readonly Removal[] {
    // A removal in the future was made before the clock was set back. It would count until the clock is there again.
    this.#removals = this.#removals
      .map((each) => (each.at > now ? { ...each, at: now } : each))
      .filter(({ at }) => at > now - this.#windowMs);
    return this.#removals.filter(({ subject }) => subject === undefined || !this.#open.has(subject));
  }

  /** Counts removals that the plans of the fleet no longer contain. */
  addRemovals(edges: number, now: number): void {
    if (edges > 0) this.#removals = [...this.#removals, { at: now, edges }];
  }

  /** Call it before the write of an edge, then `confirmEdge` or `releaseEdge`. After a crash in between it counts. */
  reserveEdge(subject: string, now: number): void {
    this.#removals = [
      ...this.#removals.filter((each) => each.subject !== subject),
      { at: now, edges: 1, subject },
    ];
    this.#open.add(subject);
  }

  /** Call it in the same turn in which the world learns that the edge is gone. */
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

  /** Call it before the counted writes. */
  async store(keyValues: { readonly set: (name: string, value: string) => Promise<void> }): Promise<void> {
    await keyValues.set(NAME, this.toText());
  }

  async restoreFrom(keyValues: {
    readonly get: (name: string) => Promise<string | undefined>;
  }): Promise<void> {
    this.restore(await keyValues.get(NAME));
  }

  toText(): string {
    return JSON.stringify(this.#removals);
  }

  /** Restores what an earlier process stored; ignores a text in another form. */
  restore(text: string | undefined): void {
    if (text === undefined) return;
    try {
      const value: unknown = JSON.parse(text);
      if (!Array.isArray(value)) return;
      // Replaced, not added, because each attempt to start calls this.
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
