import { WEBHOOKS_BODY } from '../../app/webhook-status.js';
import { systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { refusal, runningDaemon, statusOf } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { printable } from '../terminal/screen.js';
import { printWebhooks } from '../terminal/webhook-text.js';
import { addWebhooksTest, webhookOf } from './webhooks-test.js';

interface Options {
  readonly json?: true;
}

export function addWebhooks(program: DocumentedCommand, cli: Cli): void {
  const webhooks = program
    .command('webhooks')
    .summary('list the webhooks of the decision log, test them, and skip an event')
    .description(
      'A webhook sends each event of the decision log to a receiver (decisions.webhooks). These commands ask the running ' +
        'daemon on this machine.',
    );
  webhooks
    .command('list', { isDefault: true })
    .summary('list the webhooks, and the event that each one waits for')
    .description(
      'Lists the webhooks: whether the receiver takes events, the event that it does not take, and the last error.',
    )
    .option('--json', 'print one JSON document: webhooks')
    .endHelp('\nExit status: 0; 1 if the list cannot be read.')
    .action(async (options: Options) => {
      const { webhooks } = statusOf(await runningDaemon(cli), WEBHOOKS_BODY);
      if (options.json) cli.screen.json({ webhooks });
      else printWebhooks(webhooks, systemClock.now(), cli.screen);
    });
  webhooks
    .command('skip')
    .summary('go on without an event that a receiver refuses')
    .description(
      'Moves the webhook past the event that it waits for, so that the next one is sent. The decision log keeps the event.',
    )
    .argument('<name>', 'the name of the webhook')
    .argument('<id>', 'the ID of the event, as webhooks list shows it')
    .option('--json', 'print one JSON document: skipped')
    .endHelp(`
Exit status: 0; 1 if the webhook does not wait for this event.

Example:
  scopemesh webhooks skip siem 01JDXK4T0QJ5W3M8V7Z2R6N9PB`)
    .action(async (name: string, id: string, options: Options) => {
      await webhookOf(name, cli);
      const daemon = await runningDaemon(cli);
      const answer = await daemon.post('/api/webhooks/skip', { user: cli.context.user, name, id });
      if (answer === undefined) throw refusal(printable(`the webhook ${name} does not wait for ${id}`));
      if (options.json) cli.screen.json({ skipped: id });
      else cli.screen.line(`skipped  ${printable(id)}`);
    });
  addWebhooksTest(webhooks, cli);
}
