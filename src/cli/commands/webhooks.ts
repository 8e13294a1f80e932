import { ulid } from 'ulid';
import { z } from 'zod';
import type { WebhookSettings } from '../../../config/config.js';
import { WEBHOOKS_BODY } from '../../app/webhook-status.js';
import { isoInstant, systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { argument, defineCommand, defineGroup } from '../command.js';
import { askDaemon, refusal, runningDaemon, statusOf } from '../daemon-client.js';
import { printable } from '../terminal/screen.js';
import { printWebhooks } from '../terminal/webhook-text.js';

/** The type of an event that only shows that a receiver works. It is no decision. */
export const TEST_TYPE = 'dev.scopemesh.webhook.tested';

const list = defineCommand({
  name: 'list',
  isDefault: true,
  summary: 'list the webhooks, and the event that each one waits for',
  description:
    'Lists the webhooks: whether the receiver takes events, the event that it does not take, and the last error.',
  takes: {},
  json: WEBHOOKS_BODY,
  exit: '0; 1 if the list cannot be read.',
  ask: async (_, cli) => statusOf(await runningDaemon(cli), WEBHOOKS_BODY),
  print: ({ webhooks }, { screen }) => printWebhooks(webhooks, systemClock.now(), screen),
});

const skip = defineCommand({
  name: 'skip',
  summary: 'go on without an event that a receiver refuses',
  description:
    'Moves the webhook past the event that it waits for, so that the next one is sent. The decision log keeps the event.',
  takes: {
    name: argument('the name of the webhook'),
    id: argument('the ID of the event, as webhooks list shows it'),
  },
  json: z.object({ skipped: z.string() }),
  exit: '0; 1 if the webhook does not wait for this event.',
  examples: ['scopemesh webhooks skip siem 01JDXK4T0QJ5W3M8V7Z2R6N9PB'],
  async ask({ name, id }, cli) {
    await webhookOf(name, cli);
    const unknown = printable(`the webhook ${name} does not wait for ${id}`);
    await askDaemon(cli, '/api/webhooks/skip', { name, id }, z.object({ id: z.string() }), unknown);
    return { skipped: id };
  },
  print: ({ skipped }, { screen }) => screen.line(`skipped  ${printable(skipped)}`),
});

const test = defineCommand({
  name: 'test',
  summary: 'send one signed test event to a receiver',
  description:
    `Sends one signed event of the type ${TEST_TYPE} to the receiver, once, from this process, whatever the webhook's ` +
    'types are. It is in no log.',
  takes: { name: argument('the name of the webhook') },
  json: z.object({ sent: z.string() }),
  exit: '0 if the receiver takes the event; 1 if not.',
  examples: ['scopemesh webhooks test siem'],
  async ask({ name }, cli) {
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
      return { sent: id };
    } finally {
      await sender.close();
    }
  },
  print: ({ sent }, { screen }, { name }) =>
    screen.text(`the receiver of ${name} took the test event ${sent}`),
});

export const webhooks = defineGroup(
  'webhooks',
  {
    summary: 'list the webhooks of the decision log, test them, and skip an event',
    description:
      'A webhook sends each event of the decision log to a receiver (decisions.webhooks). These commands ask the running ' +
      'daemon on this machine.',
  },
  [list, skip, test],
);

/** The settings of a webhook; throws for a name that the configuration does not have. */
async function webhookOf(name: string, cli: Cli): Promise<WebhookSettings> {
  const { decisions } = await cli.openConfig();
  const found = decisions.webhooks.find((webhook) => webhook.name === name);
  if (found !== undefined) return found;
  const names = decisions.webhooks.map((webhook) => webhook.name).join(', ');
  throw refusal(`no webhook of the configuration has this name${names === '' ? '' : `; there are ${names}`}`);
}
