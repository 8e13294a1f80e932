/** Removals by inference within the sliding window of the mass guard, kept in a durable fact across restarts. */
export class RevocationWindow {
  readonly #windowMs: number;
  #removals: { readonly at: number; readonly edges: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Edges removed within the window that ends now. */
  used(now: number): number {
    this.#removals = this.#removals.filter(({ at }) => at > now - this.#windowMs);
    return this.#removals.reduce((sum, { edges }) => sum + edges, 0);
  }

  /** Counts removals before they are written, so that two jobs at once cannot both take the last of the budget. */
  take(edges: number, now: number): void {
    if (edges > 0) this.#removals.push({ at: now, edges });
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
      this.#removals = [];
      for (const each of value) {
        if (typeof each !== 'object' || each === null) continue;
        const { at, edges }: { at?: unknown; edges?: unknown } = each;
        if (typeof at === 'number' && typeof edges === 'number') this.#removals.push({ at, edges });
      }
    } catch {
      // Not JSON: nothing can be restored.
    }
  }
}
