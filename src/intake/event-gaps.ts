import type { Clock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { lateScope } from './accept-events.js';
import { type Channel, type ChannelActivity, isSilent } from './channel-activity.js';

/** Why events may have been lost, beside what the provider's own log says. */
export type GapReason = 'missed' | 'silence';

export interface EventGapsDeps {
  readonly keyValues: Pick<KeyValueStore, 'has'>;
  readonly activity: Pick<ChannelActivity, 'of'>;
  readonly clock: Clock;
}

/** How long the webhook may be slower than the poll. */
const PATIENCE_MS = 60_000;
const MOST_AWAITED = 10_000;

/**
 * Notices between polls that a channel does not bring what it should: the webhook never brought what the poll did
 * (a missed signal), or a channel is silent that used to speak. Each is told once, until the channel speaks again.
 */
export class EventGaps {
  readonly #provider: string;
  readonly #channels: readonly Channel[];
  readonly #deps: EventGapsDeps;
  /** Event ids, and since when each is awaited at the webhook. */
  readonly #awaited = new Map<string, number>();
  readonly #silent = new Set<Channel>();
  #missedSince: number | undefined;

  constructor(provider: string, channels: readonly Channel[], deps: EventGapsDeps) {
    this.#provider = provider;
    this.#channels = channels;
    this.#deps = deps;
  }

  /** To be called after each poll, with what only the poll brought. */
  async look(
    fresh: readonly IdentityEvent[],
  ): Promise<{ readonly missed: number; readonly begun: readonly GapReason[] }> {
    const now = this.#deps.clock.now();
    if (this.#channels.includes('webhook')) {
      for (const { id, isSignalled } of fresh)
        if (isSignalled === true && this.#awaited.size < MOST_AWAITED) this.#awaited.set(id, now);
    }
    const missed = await this.#countMissed(now);
    const begun: GapReason[] = [];
    if ((await this.#beginsToMiss(missed, now)) === true) begun.push('missed');
    if ((await this.#fallsSilent(now)) === true) begun.push('silence');
    return { missed, begun };
  }

  async #countMissed(now: number): Promise<number> {
    let missed = 0;
    for (const [id, since] of this.#awaited) {
      if (now - since < PATIENCE_MS) break;
      this.#awaited.delete(id);
      if (!(await this.#deps.keyValues.has(lateScope(this.#provider), id))) missed++;
    }
    return missed;
  }

  async #beginsToMiss(missed: number, now: number): Promise<boolean> {
    const heardAt = (await this.#deps.activity.of(this.#provider, 'webhook'))?.lastEventAt;
    if (this.#missedSince !== undefined && Date.parse(heardAt ?? '') > this.#missedSince)
      this.#missedSince = undefined;
    if (missed === 0 || this.#missedSince !== undefined) return false;
    this.#missedSince = now;
    return true;
  }

  async #fallsSilent(now: number): Promise<boolean> {
    let begins = false;
    for (const channel of this.#channels) {
      const hearing = await this.#deps.activity.of(this.#provider, channel);
      if (hearing === undefined || !isSilent(hearing, now)) this.#silent.delete(channel);
      else if (!this.#silent.has(channel)) {
        this.#silent.add(channel);
        begins = true;
      }
    }
    return begins;
  }
}
