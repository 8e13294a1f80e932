import { z } from 'zod';
import { FAILING_EVENT, LISTED_LETTERS, WebhookStore } from '../decisions/webhook-state.js';
import { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** How a webhook fares, as `/statusz` shows it. */
const WEBHOOK_STATUS = z.object({
  name: z.string(),
  /** `new`: nothing was delivered from here yet. `unreadable`: the store has something else than scopemesh wrote. */
  state: z.enum(['new', 'delivering', 'failing', 'disabled', 'unreadable']),
  /** ISO 8601: since when the receiver wants no more; null while it is not disabled. */
  disabledAt: z.string().nullable(),
  failing: FAILING_EVENT.nullable(),
  deadLetters: LISTED_LETTERS,
});
export type WebhookStatus = z.infer<typeof WEBHOOK_STATUS>;

/** The part of `/statusz` with the webhooks. */
export const WEBHOOKS_BODY = z.object({ webhooks: z.array(WEBHOOK_STATUS) });

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
