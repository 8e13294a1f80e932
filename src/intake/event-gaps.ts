import type { Clock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { lateScope } from './accept-events.js';
import { type Channel, type ChannelActivity, isSilent } from './channel-activity.js';

/** Why events may be lost, in addition to what the provider's own log says. */
type GapReason = 'missed' | 'silence';

interface EventGapsDeps {
  readonly keyValues: Pick<KeyValueStore, 'has'>;
  readonly activity: Pick<ChannelActivity, 'of'>;
  readonly clock: Clock;
}

/** How much later than the poll the webhook may deliver an event. */
const WEBHOOK_DELAY_MS = 60_000;
const MAX_AWAITED = 10_000;

/**
 * Finds between polls that a channel does not deliver what it should: the webhook did not deliver an event that the poll
 * delivered (a missed signal), or a channel with regular events is silent. Each gap is reported once, until the channel
 * delivers again.
 */
export class EventGaps {
  readonly #provider: string;
  readonly #channels: readonly Channel[];
  readonly #deps: EventGapsDeps;
  /** Event IDs, and since when the webhook is expected to deliver each. */
  readonly #awaited = new Map<string, number>();
  readonly #silent = new Set<Channel>();
  #missedSince: number | undefined;

  constructor(provider: string, channels: readonly Channel[], deps: EventGapsDeps) {
    this.#provider = provider;
    this.#channels = channels;
    this.#deps = deps;
  }

  /** Call it after each poll, with the events that only the poll delivered. */
  async check(
    fresh: readonly IdentityEvent[],
  ): Promise<{ readonly missed: number; readonly newGaps: readonly GapReason[] }> {
    const now = this.#deps.clock.now();
    if (this.#channels.includes('webhook')) {
      for (const { id, isSignalled } of fresh)
        if (isSignalled === true && this.#awaited.size < MAX_AWAITED) this.#awaited.set(id, now);
    }
    const missed = await this.#countMissed(now);
    const newGaps: GapReason[] = [];
    if (await this.#startsToMiss(missed, now)) newGaps.push('missed');
    if (await this.#fallsSilent(now)) newGaps.push('silence');
    return { missed, newGaps };
  }

  async #countMissed(now: number): Promise<number> {
    let missed = 0;
    for (const [id, since] of this.#awaited) {
      if (now - since < WEBHOOK_DELAY_MS) break;
      this.#awaited.delete(id);
      if (!(await this.#deps.keyValues.has(lateScope(this.#provider), id))) missed++;
    }
    return missed;
  }

  async #startsToMiss(missed: number, now: number): Promise<boolean> {
    const lastAt = (await this.#deps.activity.of(this.#provider, 'webhook'))?.lastEventAt;
    if (this.#missedSince !== undefined && Date.parse(lastAt ?? '') > this.#missedSince)
      this.#missedSince = undefined;
    if (missed === 0 || this.#missedSince !== undefined) return false;
    this.#missedSince = now;
    return true;
  }

  async #fallsSilent(now: number): Promise<boolean> {
    let isNew = false;
    for (const channel of this.#channels) {
      const activity = await this.#deps.activity.of(this.#provider, channel);
      if (activity === undefined || !isSilent(activity, now)) this.#silent.delete(channel);
      else if (!this.#silent.has(channel)) {
        this.#silent.add(channel);
        isNew = true;
      }
    }
    return isNew;
  }
}
