import { z } from 'zod';
import { WebhookStore } from '../decisions/webhook-state.js';
import { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** How a webhook fares, as `/statusz` shows it. */
export const WEBHOOK_STATUS = z.object({
  name: z.string(),
  /** `new`: nothing was delivered from here yet. `unreadable`: the store has something else than scopemesh wrote. */
  state: z.enum(['new', 'delivering', 'failing', 'disabled', 'unreadable']),
  /** ISO 8601: since when the receiver wants no more; null while it is not disabled. */
  disabledAt: z.string().nullable(),
  /** The event that the receiver has not taken yet. */
  failing: z
    .object({
      id: z.string(),
      type: z.string(),
      since: z.string(),
      attempts: z.number(),
      refusals: z.number(),
      error: z.string(),
    })
    .nullable(),
  /** Without the events. */
  deadLetters: z.array(
    z.object({ id: z.string(), type: z.string(), at: z.string(), attempts: z.number(), error: z.string() }),
  ),
});
export type WebhookStatus = z.infer<typeof WEBHOOK_STATUS>;

/** Reads it from the store, so that every replica can. */
export async function readWebhookStatus(keyValues: KeyValueStore, name: string): Promise<WebhookStatus> {
  const store = new WebhookStore(keyValues, name);
  const read = Promise.all([store.position(), store.state(), store.listedLetters()]);
  const found = await read.catch((error: unknown) => {
    if (error instanceof SyncError) throw error;
    return undefined;
  });
  // The others, and the rest of the status, can be seen still.
  if (found === undefined)
    return { name, state: 'unreadable', disabledAt: null, failing: null, deadLetters: [] };
  const [position, state, letters] = found;
  const { disabledAt, failing } = state;
  const working = failing === undefined ? (position === undefined ? 'new' : 'delivering') : 'failing';
  return {
    name,
    state: disabledAt === undefined ? working : 'disabled',
    disabledAt: disabledAt ?? null,
    failing: failing ?? null,
    deadLetters: [...letters],
  };
}
