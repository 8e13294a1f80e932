/** What cannot be read: Consul, or a provider by its name. */
export type Side = { readonly kind: 'consul' } | { readonly kind: 'provider'; readonly name: string };

export interface UnreadSide {
  /** `consul`, or `provider/<name>`. */
  readonly side: string;
  /** Since the first of the failures that no success ended. */
  readonly seconds: number;
  readonly why: string;
}

/** One failed read is no news: Consul elects a leader, an identity provider restarts. */
const PATIENCE_SECONDS = 30;

interface Failure {
  readonly side: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly why: string;
}

/** The complete reads of both sides that fail again and again. A replica that leads and cannot read a side cannot work. */
export class FailedReads {
  /** By what is read. */
  readonly #failures = new Map<string, Failure>();

  failed(side: Side, what: string, why: string, now: number): void {
    const key = keyOf(side, what);
    const since = this.#failures.get(key)?.since ?? now;
    this.#failures.set(key, { side: textOf(side), since, why });
  }

  succeeded(side: Side, what: string): void {
    this.#failures.delete(keyOf(side, what));
  }

  /** Each side that fails longer than half a minute, by its oldest failure. */
  unread(now: number): readonly UnreadSide[] {
    const oldest = new Map<string, UnreadSide>();
    for (const { side, since, why } of this.#failures.values()) {
      const seconds = Math.max(0, now - since) / 1000;
      if (seconds >= PATIENCE_SECONDS && seconds > (oldest.get(side)?.seconds ?? 0))
        oldest.set(side, { side, seconds, why });
    }
    return [...oldest.values()];
  }
}

/**
 * Why a replica that leads cannot work: Consul cannot be read, or no provider can. With one of several providers unread it
 * still does the work of the others, whose events must not be refused for it.
 */
export function inabilityOf(
  reads: FailedReads,
  providers: readonly string[],
  now: number,
): string | undefined {
  const unread = new Map(reads.unread(now).map((each) => [each.side, each]));
  const ofProviders = providers.map((name) => unread.get(`provider/${name}`));
  const first =
    unread.get('consul') ?? (ofProviders.every((each) => each !== undefined) ? ofProviders[0] : undefined);
  if (first === undefined) return undefined;
  return `this replica leads and cannot read ${first.side} for ${Math.floor(first.seconds)} s; /statusz says why`;
}

function keyOf(side: Side, what: string): string {
  return JSON.stringify([textOf(side), what]);
}

function textOf(side: Side): string {
  return side.kind === 'consul' ? 'consul' : `provider/${side.name}`;
}
