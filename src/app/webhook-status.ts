import { z } from 'zod';
import { FAILING_EVENT, WebhookCursor } from '../decisions/webhook-cursor.js';
import { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** How a webhook fares, as `/statusz` shows it. */
const WEBHOOK_STATUS = z.object({
  name: z.string(),
  /** `new`: it has no cursor yet. `unreadable`: the store has something else than scopemesh wrote. */
  state: z.enum(['new', 'delivering', 'failing', 'unreadable']),
  failing: FAILING_EVENT.nullable(),
});
export type WebhookStatus = z.infer<typeof WEBHOOK_STATUS>;

/** The part of `/statusz` with the webhooks. */
export const WEBHOOKS_BODY = z.object({ webhooks: z.array(WEBHOOK_STATUS) });

/** Reads it from the store, so that every replica can. */
export async function readWebhookStatus(keyValues: KeyValueStore, name: string): Promise<WebhookStatus> {
  try {
    const cursor = await new WebhookCursor(keyValues, name).read();
    if (cursor?.failing === undefined)
      return { name, state: cursor === undefined ? 'new' : 'delivering', failing: null };
    return { name, state: 'failing', failing: FAILING_EVENT.parse(cursor.failing) };
  } catch (error) {
    if (error instanceof SyncError) throw error;
    // The others, and the rest of the status, can be seen still.
    return { name, state: 'unreadable', failing: null };
  }
}
