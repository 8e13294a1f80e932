import type { WebhookStatus } from '../../app/webhook-status.js';
import { durationText } from './duration-text.js';
import { bounded, printable, type Screen } from './screen.js';

const LINE_LIMIT = 200;

/** A line for each webhook, then what it waits for. */
export function printWebhooks(
  webhooks: readonly WebhookStatus[],
  now: number,
  { line, colors }: Screen,
): void {
  if (webhooks.length === 0) line('no webhook is configured (decisions.webhooks)');
  const { dim, green, yellow, red } = colors;
  const paint = { new: dim, delivering: green, failing: yellow, unreadable: red };
  for (const { name, state, failing } of webhooks) {
    line(`${paint[state](state.padEnd(10))}  ${printable(name)}`);
    if (failing === null) continue;
    const { id, type, since, attempts, error } = failing;
    const forText = durationText((now - Date.parse(since)) / 1000);
    line(`  ${dim('waits')}  ${printable(`${id}  ${type}`)}  ${attempts} attempts failed, for ${forText}`);
    line(`  ${dim('error')}  ${bounded(error, LINE_LIMIT)}`);
  }
}
