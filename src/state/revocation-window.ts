import { jsonIn } from '../model/json-in.js';
import type { Rejection } from '../plan/guards/guard.js';
import type { InferredRemovals } from './inferred-removals.js';
import { KeyedMutex } from './mutex.js';

/** The name of the stored value. */
const NAME = 'guard/window';

interface Removal {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly edges: number;
  /** The edge, if it is a single one; reserved twice it counts once. */
  readonly subject?: string;
}

interface Storing {
  readonly set: (name: string, value: string) => Promise<void>;
}

/**
 * Inferred removals within the sliding window of the mass guard, stored across restarts. A single edge is reserved
 * before its write and counts from the moment of the write. Until then the plans of the fleet still contain its removal
 * and count it; if both counted, a loss well below the limit would be held halfway.
 */
export class RevocationWindow {
  readonly rejections: RejectedRemovals;
  /** What another process holds, with the detail, by the subject of the loss; empty where this process guards. */
  recordedHolds: ReadonlyMap<string, string> = new Map();
  readonly #windowMs: number;
  /** Removals of several edges at once. */
  #counted: readonly Removal[] = [];
  /** By subject, when the edge was removed; the oldest first. */
  #edges = new Map<string, number>();
  /** Of the removals of edges. */
  #latest = 0;
  /** Reserved subjects that are not confirmed yet. */
  readonly #open = new Set<string>();
  /** Of those that were removed before: when. */
  readonly #earlier = new Map<string, number>();
  /** Subjects that an earlier process reserved, as long as nothing says whether their edge was removed. */
  #restored = new Set<string>();
  readonly #stores = new KeyedMutex();
  /** Begins when what is being stored is stored. */
  #nextStore: Promise<void> | undefined;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.rejections = new RejectedRemovals(windowMs);
  }

  /** Edges removed within the window that ends now. */
  used(now: number): number {
    const underWay = this.underWay(now);
    const edges = this.#edges.size - underWay;
    return this.#counted.reduce((sum, each) => sum + each.edges, edges);
  }

  /** Edges whose removal is under way: reserved, and not confirmed yet. */
  underWay(now: number): number {
    return this.underWayOf(() => true, now);
  }

  /** Those of the single edges that `used` counts. */
  usedOf(isMeant: (subject: string) => boolean, now: number): number {
    this.#expire(now);
    let edges = 0;
    for (const subject of this.#edges.keys()) if (!this.#open.has(subject) && isMeant(subject)) edges++;
    return edges;
  }

  /** Those of the single edges whose removal is under way. */
  underWayOf(isMeant: (subject: string) => boolean, now: number): number {
    this.#expire(now);
    let edges = 0;
    for (const subject of this.#open) if (this.#edges.has(subject) && isMeant(subject)) edges++;
    return edges;
  }

  #expire(now: number): void {
    // A removal in the future was made before the clock was set back. It would count until the clock is there again.
    if (this.#latest > now) {
      for (const removals of [this.#edges, this.#earlier])
        for (const [subject, at] of removals) if (at > now) removals.set(subject, now);
      this.#latest = now;
    }
    this.#counted = this.#counted
      .map((each) => (each.at > now ? { ...each, at: now } : each))
      .filter(({ at }) => at > now - this.#windowMs);
    for (const [subject, at] of this.#edges) {
      if (at > now - this.#windowMs) break;
      this.#edges.delete(subject);
    }
    for (const [subject, at] of this.#earlier) if (at <= now - this.#windowMs) this.#earlier.delete(subject);
  }

  /** Counts removals that the plans of the fleet no longer contain. */
  addRemovals(edges: number, now: number): Removal {
    const removals = { at: now, edges };
    if (edges > 0) this.#counted = [...this.#counted, removals];
    return removals;
  }

  /** The same, and stores the window. If that fails, they do not count. */
  async addStored(edges: number, now: number, keyValues: Storing): Promise<void> {
    const removals = this.addRemovals(edges, now);
    try {
      await this.store(keyValues);
    } catch (error) {
      this.#counted = this.#counted.filter((each) => each !== removals);
      throw error;
    }
  }

  /**
   * Reserves edges and stores the window. If that fails, it gives back what it reserved, and not what another caller has
   * reserved for its own write.
   */
  async reserveStored(subjects: readonly string[], now: number, keyValues: Storing): Promise<void> {
    if (subjects.length === 0) return;
    const mine = subjects.filter((subject) => !this.#open.has(subject));
    for (const subject of subjects) this.reserveEdge(subject, now);
    try {
      await this.store(keyValues);
    } catch (error) {
      for (const subject of mine) this.releaseEdge(subject);
      throw error;
    }
  }

  /** Call it before the write of an edge, then `confirmEdge` or `releaseEdge`. After a crash in between it counts. */
  reserveEdge(subject: string, now: number): void {
    // The oldest stay first, also if a caller took the time before it waited. `used` notices a clock that was set back.
    this.#latest = Math.max(now, this.#latest);
    const before = this.#edges.get(subject);
    if (before !== undefined && !this.#open.has(subject)) this.#earlier.set(subject, before);
    this.#edges.delete(subject);
    this.#edges.set(subject, this.#latest);
    this.#open.add(subject);
    this.#restored.delete(subject);
  }

  /** Call it in the same turn in which the world learns that the edge is gone. */
  confirmEdge(subject: string): void {
    this.#open.delete(subject);
    this.#earlier.delete(subject);
    this.#restored.delete(subject);
  }

  /** The edge counts from now on, also if another caller has reserved it too and gave it back meanwhile. */
  countEdge(subject: string, now: number): void {
    this.reserveEdge(subject, now);
    this.confirmEdge(subject);
  }

  /** It is unknown whether an edge that an earlier process reserved was removed: the fleet's plans count it. */
  reopenEdge(subject: string): void {
    if (this.#restored.delete(subject)) this.#open.add(subject);
  }

  /**
   * The edge was not removed after all. A removal from before it was reserved counts again. What is not reserved any more
   * counts on: it was given back before, or the edge was removed since.
   */
  releaseEdge(subject: string): void {
    const isReserved = this.#open.delete(subject);
    if (!this.#restored.delete(subject) && !isReserved) return;
    const earlier = this.#earlier.get(subject);
    this.#earlier.delete(subject);
    this.#edges.delete(subject);
    if (earlier === undefined) return;
    const edges = [...this.#edges, [subject, earlier] as const];
    this.#edges = new Map(edges.toSorted(([, a], [, b]) => a - b));
  }

  /**
   * Call it before the counted writes. It stores the whole window, so those who call it while that is under way share the next
   * time.
   */
  store(keyValues: Storing): Promise<void> {
    this.#nextStore ??= this.#stores.run(NAME, () => {
      this.#nextStore = undefined;
      return keyValues.set(NAME, this.toText());
    });
    return this.#nextStore;
  }

  async restoreFrom(keyValues: {
    readonly get: (name: string) => Promise<string | undefined>;
  }): Promise<void> {
    this.restore(await keyValues.get(NAME));
  }

  toText(): string {
    // An edge that was removed before is there twice: the latest removal may be given back.
    const edges = [...this.#earlier, ...this.#edges].map(([subject, at]) => ({ at, edges: 1, subject }));
    return JSON.stringify([...this.#counted, ...edges]);
  }

  /** Restores what an earlier process stored; ignores a text in another form. */
  restore(text: string | undefined): void {
    if (text === undefined) return;
    const value = jsonIn(text);
    if (!Array.isArray(value)) return;
    // Replaced, not added, because each attempt to start calls this.
    const all = value.flatMap((each: unknown) => parseRemoval(each)).toSorted((a, b) => a.at - b.at);
    this.#counted = all.filter(({ subject }) => subject === undefined);
    this.#edges.clear();
    this.#earlier.clear();
    this.#open.clear();
    for (const { subject, at } of all) if (subject !== undefined) this.#restoreEdge(subject, at);
    this.#restored = new Set(this.#edges.keys());
    this.#latest = all.at(-1)?.at ?? 0;
  }

  /** In the order of time. */
  #restoreEdge(subject: string, at: number): void {
    const before = this.#edges.get(subject);
    if (before !== undefined) this.#earlier.set(subject, before);
    // The latest come last.
    this.#edges.delete(subject);
    this.#edges.set(subject, at);
  }
}

function parseRemoval(value: unknown): readonly Removal[] {
  if (typeof value !== 'object' || value === null) return [];
  const { at, edges, subject }: { at?: unknown; edges?: unknown; subject?: unknown } = value;
  if (typeof at !== 'number' || typeof edges !== 'number') return [];
  return [{ at, edges, ...(typeof subject === 'string' ? { subject } : {}) }];
}

/**
 * The removals that a person rejected, as the jobs of their keys last found them. Plans of the whole fleet hold and count by
 * them. The source of truth is the store with the key's holds, which each of those jobs reads again.
 */
export class RejectedRemovals {
  readonly #windowMs: number;
  readonly #byKey = new Map<string, ReadonlyMap<string, Rejection>>();
  readonly #bySubject = new Map<string, Rejection>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Replaces the rejections of a key, by subject. */
  put(key: string, rejections: ReadonlyMap<string, Rejection>): void {
    for (const subject of this.#byKey.get(key)?.keys() ?? []) this.#bySubject.delete(subject);
    this.#byKey.delete(key);
    if (rejections.size > 0) this.#byKey.set(key, rejections);
    for (const [subject, rejection] of rejections) this.#bySubject.set(subject, rejection);
  }

  of(subject: string): Rejection | undefined {
    return this.#bySubject.get(subject);
  }

  /**
   * The number of these removals that the mass guard counts. A rejected one counts for one more window, like a removal that
   * was made; otherwise the rejection of the first removals would let others pass that nobody ruled on yet. After that it
   * does not count; otherwise more rejections than the limit would hold every later loss forever.
   */
  countOf(subjects: readonly string[], now: number): number {
    return subjects.filter((subject) => !this.#isOver(this.#bySubject.get(subject), now)).length;
  }

  /** The same for the removals of the whole fleet, without a look at each one. Each key counts at most `most`. */
  countIn(
    removals: Pick<InferredRemovals, 'total' | 'lossOf'>,
    now: number,
    most = Number.POSITIVE_INFINITY,
  ): number {
    const over = new Map<string, { readonly removals: number; readonly over: number }>();
    for (const [subject, rejection] of this.#bySubject) {
      const loss = this.#isOver(rejection, now) ? removals.lossOf(subject) : undefined;
      if (loss === undefined) continue;
      over.set(loss.key, { removals: loss.removals, over: (over.get(loss.key)?.over ?? 0) + 1 });
    }
    let count = removals.total(most);
    for (const key of over.values())
      count += Math.min(key.removals - key.over, most) - Math.min(key.removals, most);
    return count;
  }

  #isOver(rejection: Rejection | undefined, now: number): boolean {
    return rejection !== undefined && !(Date.parse(rejection.at) > now - this.#windowMs);
  }
}
