import { z } from 'zod';
import type { Clock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** By which way events of a provider come; shared signals are told apart, for they may go on where its own events stop. */
export type Channel = 'webhook' | 'poll' | 'signals';

const Activity = z.object({
  /** ISO 8601: when the last event came. */
  lastEventAt: z.string(),
  /** How much later that was than its own time, by both clocks. */
  lagMs: z.number().optional(),
  /** How long it was quiet between events, the last of them last; what came within a minute counts as one. */
  quietMs: z.array(z.number()),
});
export type Activity = z.infer<typeof Activity>;

const MOST_QUIETS = 20;
const FEWEST_QUIETS = 10;
const ONE_MS = 60_000;
const SHORTEST_SILENCE_MS = 600_000;
const WRITE_EVERY_MS = 1_000;

/** What each channel brought, and when; kept over restarts, and readable by another process than the one that heard. */
export class ChannelActivity {
  readonly #facts: KeyValueStore;
  readonly #clock: Clock;
  readonly #own = new Map<string, { readonly hearing: Activity; readonly writtenAt: number }>();

  constructor(keyValues: KeyValueStore, clock: Clock) {
    this.#facts = keyValues;
    this.#clock = clock;
  }

  /** Also of events that concern nobody: they too show that the channel works. */
  async note(provider: string, channel: Channel, events: readonly IdentityEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const now = this.#clock.now();
    const name = factOf(provider, channel);
    const own = this.#own.get(name);
    const before = own?.hearing ?? (await this.#read(name));
    const writtenAt = own?.writtenAt ?? 0;
    const lagMs = last.occurredAt === undefined ? Number.NaN : now - Date.parse(last.occurredAt);
    const hearing: Activity = {
      lastEventAt: new Date(now).toISOString(),
      quietMs: quietsOf(before, now),
      ...(Number.isNaN(lagMs) ? {} : { lagMs: Math.max(0, lagMs) }),
    };
    const isDue = now - writtenAt >= WRITE_EVERY_MS;
    this.#own.set(name, { hearing, writtenAt: isDue ? now : writtenAt });
    if (isDue) await this.#facts.set(name, JSON.stringify(hearing));
  }

  async of(provider: string, channel: Channel): Promise<Activity | undefined> {
    const name = factOf(provider, channel);
    return this.#own.get(name)?.hearing ?? this.#read(name);
  }

  async #read(name: string): Promise<Activity | undefined> {
    const text = await this.#facts.get(name);
    return text === undefined ? undefined : Activity.parse(JSON.parse(text));
  }
}

/** Whether a channel that used to speak regularly has been silent for longer than twice its longest quiet. */
export function isSilent(hearing: Activity, now: number): boolean {
  if (hearing.quietMs.length < FEWEST_QUIETS) return false;
  const usualMs = Math.max(...hearing.quietMs);
  return now - Date.parse(hearing.lastEventAt) > Math.max(SHORTEST_SILENCE_MS, 2 * usualMs);
}

function quietsOf(before: Activity | undefined, now: number): number[] {
  if (before === undefined) return [];
  const quietMs = now - Date.parse(before.lastEventAt);
  return quietMs < ONE_MS ? before.quietMs : [...before.quietMs, quietMs].slice(-MOST_QUIETS);
}

function factOf(provider: string, channel: Channel): string {
  return `heard/${channel}/${provider}`;
}
