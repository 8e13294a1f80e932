import type { WebhookStatus } from '../../app/webhook-status.js';
import { durationText } from './duration-text.js';
import { bounded, printable, type Screen } from './screen.js';

const LINE_LIMIT = 200;

/** A line for each webhook, then what it waits for and what it gave up. */
export function printWebhooks(
  webhooks: readonly WebhookStatus[],
  now: number,
  { line, colors }: Screen,
): void {
  if (webhooks.length === 0) line('no webhook is configured (decisions.webhooks)');
  const ago = (since: string) => durationText((now - Date.parse(since)) / 1000);
  const { dim, green, yellow, red } = colors;
  const paint = { new: dim, delivering: green, failing: yellow, disabled: red, unreadable: red };
  for (const { name, state, disabledAt, failing, deadLetters } of webhooks) {
    const count = deadLetters.length === 0 ? '' : `  ${deadLetters.length} dead letters`;
    line(`${paint[state](state.padEnd(10))}  ${printable(name)}${count}`);
    if (disabledAt !== null)
      line(`  the receiver answered 410 Gone ${ago(disabledAt)} ago; scopemesh webhooks retry ${name}`);
    if (failing !== null) {
      const { id, type, since, attempts, error } = failing;
      line(
        `  ${colors.dim('waits')}  ${printable(`${id}  ${type}`)}  ${attempts} attempts failed, for ${ago(since)}`,
      );
      line(`  ${colors.dim('error')}  ${bounded(error, LINE_LIMIT)}`);
    }
    for (const { id, type, at, error } of deadLetters)
      line(
        `  ${colors.dim('dead')}   ${printable(`${id}  ${type}`)}  ${ago(at)} ago  ${bounded(error, LINE_LIMIT)}`,
      );
  }
}
