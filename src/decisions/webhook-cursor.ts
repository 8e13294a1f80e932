import { z } from 'zod';
import { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** The event that the receiver has not taken yet. All later ones wait. */
export const FAILING_EVENT = z.object({
  id: z.string(),
  type: z.string(),
  /** ISO 8601: of the first failed attempt. */
  since: z.string(),
  attempts: z.int(),
  error: z.string(),
});

const CURSOR = z.object({
  /** Behind the last event that was delivered, skipped or not wanted. */
  position: z.string(),
  failing: FAILING_EVENT.extend({
    /** The position behind the event. */
    behind: z.string(),
  }).exactOptional(),
});
/** Where a webhook is in the log. */
export type Cursor = z.infer<typeof CURSOR>;

const MAX_TRIES = 10;

/**
 * The cursor of one webhook in the store, one value that changes in one step. The process that delivers moves it on, and every
 * replica can move it past an event. Throws SyncError ERR_QUEUE_UNREACHABLE, and another error for a value that cannot be read.
 */
export class WebhookCursor {
  readonly #keyValues: Pick<KeyValueStore, 'get' | 'replace'>;
  readonly #key: string;

  constructor(keyValues: Pick<KeyValueStore, 'get' | 'replace'>, name: string) {
    this.#keyValues = keyValues;
    this.#key = `webhook/${name}`;
  }

  /** As the store has it; undefined for a new webhook. */
  stored(): Promise<string | undefined> {
    return this.#keyValues.get(this.#key);
  }

  async read(): Promise<Cursor | undefined> {
    return parseCursor(await this.stored());
  }

  /** Resolves with what is stored now; undefined if that was not `from` any more, and nothing was written. */
  async move(from: string | undefined, to: Cursor): Promise<string | undefined> {
    const text = JSON.stringify(to);
    return (await this.#keyValues.replace(this.#key, from, text)) ? text : undefined;
  }

  /** Moves past an event that fails; false if the webhook does not wait for this event. */
  async skip(id: string): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.stored();
      const failing = parseCursor(stored)?.failing;
      if (failing?.id !== id) return false;
      if ((await this.move(stored, { position: failing.behind })) !== undefined) return true;
    }
    const message = 'the cursor of the webhook changes all the time; try again';
    throw new SyncError('ERR_QUEUE_UNREACHABLE', message, { retriable: true });
  }
}

export function parseCursor(stored: string | undefined): Cursor | undefined {
  return stored === undefined ? undefined : CURSOR.parse(JSON.parse(stored));
}
