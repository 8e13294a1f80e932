import { ulid } from 'ulid';
import type { WebhookSettings } from '../../../config/config.js';
import { isoInstant, systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { refusal } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { printable } from '../terminal/screen.js';

/** The type of an event that only shows that a receiver works. It is no decision. */
export const TEST_TYPE = 'dev.scopemesh.webhook.tested';

export function addWebhooksTest(webhooks: DocumentedCommand, cli: Cli): void {
  webhooks
    .command('test')
    .summary('send one signed test event to a receiver')
    .description(
      `Sends one signed event of the type ${TEST_TYPE} to the receiver, once, from this process, whatever the webhook's ` +
        'types are. It is in no log.',
    )
    .argument('<name>', 'the name of the webhook')
    .endHelp(`
Exit status: 0 if the receiver takes the event; 1 if not.

Example:
  scopemesh webhooks test siem`)
    .action(async (name: string) => {
      const webhook = await webhookOf(name, cli);
      const { owner } = await cli.openConfig();
      const { openWebhookSender } = await cli.context.adapters();
      const id = ulid();
      const event = {
        specversion: '1.0',
        id,
        time: isoInstant(systemClock),
        source: `scopemesh/${owner}`,
        type: TEST_TYPE,
        subject: `webhook/${name}`,
        datacontenttype: 'application/json',
        data: { webhook: name },
      };
      const sender = await openWebhookSender(webhook, { clock: systemClock });
      try {
        const delivery = await sender.send({ id, text: JSON.stringify(event) }, cli.signal);
        cli.signal.throwIfAborted();
        if (delivery.kind === 'failed')
          throw refusal(`the receiver of ${name} did not take it: ${delivery.error}`);
        cli.screen.line(printable(`the receiver of ${name} took the test event ${id}`));
      } finally {
        await sender.close();
      }
    });
}

/** The settings of a webhook; throws for a name that the configuration does not have. */
export async function webhookOf(name: string, cli: Cli): Promise<WebhookSettings> {
  const { decisions } = await cli.openConfig();
  const found = decisions.webhooks.find((webhook) => webhook.name === name);
  if (found !== undefined) return found;
  const names = decisions.webhooks.map((webhook) => webhook.name).join(', ');
  throw refusal(`no webhook of the configuration has this name${names === '' ? '' : `; there are ${names}`}`);
}
