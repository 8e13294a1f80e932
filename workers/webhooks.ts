import type { Config } from '../config/config.js';
import type { DecisionLog } from '../src/decisions/log.js';
import { trustedProofs } from '../src/decisions/signing-key.js';
import { WebhookCursor } from '../src/decisions/webhook-cursor.js';
import { deliverWebhook } from '../src/decisions/webhook-delivery.js';
import { messageOf } from '../src/errors.js';
import { compilePattern } from '../src/plan/pattern.js';
import type { StoreParts } from '../src/queue/store-parts.js';
import type { Runtime } from '../src/runtime.js';
import { openWebhookSender } from './wire.js';

/**
 * Delivers the events of the log to every webhook until the signal aborts, each on its own: a receiver that is slow or away
 * delays no other. Never rejects.
 */
export async function runWebhooks(
  { owner, decisions, state }: Pick<Config, 'owner' | 'decisions' | 'state'>,
  log: DecisionLog,
  { keyValues, space }: Pick<StoreParts, 'keyValues' | 'space'>,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    decisions.webhooks.map(async (settings) => {
      const { name } = settings;
      try {
        const types = settings.types.map(compilePattern);
        const wants = (type: string) => types.some((pattern) => pattern.match(type) !== undefined);
        const sender = await openWebhookSender(settings, runtime);
        const cursor = new WebhookCursor(keyValues, name);
        const isPaused = () => space.isLow();
        const proofs =
          decisions.kind === 'kafka' ? trustedProofs(state.directory, decisions.trustedKeys) : undefined;
        await deliverWebhook(
          { ...runtime, name, owner, log, cursor, sender, wants, proofs, isPaused },
          signal,
        );
        await sender.close();
      } catch (error) {
        runtime.metrics.count('scopemesh_webhook_interruptions_total', { webhook: name });
        runtime.logger.error({ webhook: name, error: messageOf(error) }, 'a webhook cannot run');
      }
    }),
  );
}
