import { z } from 'zod';
import type { Clock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** How events of a provider arrive. Shared signals are separate: they may continue when its own events stop. */
export type Channel = 'webhook' | 'poll' | 'signals';

const Activity = z.object({
  /** ISO 8601: when the last event arrived. */
  lastEventAt: z.string(),
  /** The time from the event to its arrival, by the clocks of both sides. */
  lagMs: z.number().optional(),
  /** Pauses between events, the last one at the end. Events within one minute count as one. */
  quietMs: z.array(z.number()),
});
export type Activity = z.infer<typeof Activity>;

const MAX_PAUSES = 20;
const MIN_PAUSES = 10;
const MIN_PAUSE_MS = 60_000;
const MIN_SILENCE_MS = 600_000;
const WRITE_EVERY_MS = 1_000;
/** By then most events are worked on, and no decision waits behind the sync of this. */
const WRITE_AFTER_MS = 100;

/** When events arrived on each channel. It is kept over restarts, and other processes can read it. */
export class ChannelActivity {
  readonly #keyValues: KeyValueStore;
  readonly #clock: Clock;
  readonly #noting = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #own = new Map<string, { readonly activity: Activity; readonly writtenAt: number }>();

  constructor(keyValues: KeyValueStore, clock: Clock) {
    this.#keyValues = keyValues;
    this.#clock = clock;
  }

  /**
   * Pass events that concern no client too: they also show that the channel works. Resolves once it is stored, which is
   * a while later: an event must not wait for it.
   */
  async note(provider: string, channel: Channel, events: readonly IdentityEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const noting = this.#note(activityName(provider, channel), last);
    this.#noting.add(noting);
    await noting.finally(() => this.#noting.delete(noting));
  }

  /** Stores at once what waits for it. Resolves when it is stored, or cannot be. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#noting);
  }

  async #note(name: string, last: IdentityEvent): Promise<void> {
    const now = this.#clock.now();
    const own = this.#own.get(name);
    const before = own?.activity ?? (await this.#read(name));
    const writtenAt = own?.writtenAt ?? 0;
    const lagMs = last.occurredAt === undefined ? Number.NaN : now - Date.parse(last.occurredAt);
    const activity: Activity = {
      lastEventAt: new Date(now).toISOString(),
      quietMs: pausesUntil(now, before),
      ...(Number.isNaN(lagMs) ? {} : { lagMs: Math.max(0, lagMs) }),
    };
    const isDue = now - writtenAt >= WRITE_EVERY_MS;
    this.#own.set(name, { activity, writtenAt: isDue ? now : writtenAt });
    if (!isDue) return;
    await this.#clock.sleep(WRITE_AFTER_MS, this.#closing.signal).catch(() => {});
    await this.#keyValues.set(name, JSON.stringify(this.#own.get(name)?.activity ?? activity));
  }

  async of(provider: string, channel: Channel): Promise<Activity | undefined> {
    const name = activityName(provider, channel);
    return this.#own.get(name)?.activity ?? this.#read(name);
  }

  async #read(name: string): Promise<Activity | undefined> {
    const text = await this.#keyValues.get(name);
    return text === undefined ? undefined : Activity.parse(JSON.parse(text));
  }
}

/** Whether a channel with regular events has been silent for more than twice its longest pause. */
export function isSilent(activity: Activity, now: number): boolean {
  if (activity.quietMs.length < MIN_PAUSES) return false;
  const longestMs = Math.max(...activity.quietMs);
  return now - Date.parse(activity.lastEventAt) > Math.max(MIN_SILENCE_MS, 2 * longestMs);
}

function pausesUntil(now: number, before: Activity | undefined): number[] {
  if (before === undefined) return [];
  const pauseMs = now - Date.parse(before.lastEventAt);
  return pauseMs < MIN_PAUSE_MS ? before.quietMs : [...before.quietMs, pauseMs].slice(-MAX_PAUSES);
}

function activityName(provider: string, channel: Channel): string {
  return `heard/${channel}/${provider}`;
}
