import { z } from 'zod';
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

const Retried = z.object({ ids: z.array(z.string()) });

export function addWebhooks(program: DocumentedCommand, cli: Cli): void {
  const webhooks = program
    .command('webhooks')
    .summary('list the webhooks of the decision log, test them, and send again what failed')
    .description(
      'A webhook sends each event of the decision log to a receiver (decisions.webhooks). These commands ask the running ' +
        'daemon on this machine.',
    );
  webhooks
    .command('list', { isDefault: true })
    .summary('list the webhooks and their dead letters')
    .description(
      'Lists the webhooks: whether the receiver takes events, the last error, and the events that were given up.',
    )
    .option('--json', 'print one JSON document: webhooks')
    .endHelp('\nExit status: 0; 1 if the list cannot be read.')
    .action(async (options: Options) => {
      const { webhooks } = statusOf(await runningDaemon(cli), WEBHOOKS_BODY);
      if (options.json) cli.screen.json({ webhooks });
      else printWebhooks(webhooks, systemClock.now(), cli.screen);
    });
  webhooks
    .command('retry')
    .summary('send again what a webhook gave up or waits for')
    .description(
      'Sends the event that fails now, without waiting for the next attempt, and the dead letters again, once each. Without ' +
        'IDs all of them; then also enables a webhook whose receiver answered 410 Gone. A dead letter that fails again stays ' +
        'one. Dead letters come out of order.',
    )
    .argument('<name>', 'the name of the webhook')
    .argument('[id...]', 'IDs of events')
    .option('--json', 'print one JSON document: retried')
    .endHelp(`
Exit status: 0; 1 if the webhook does not have one of the events.

Example:
  scopemesh webhooks retry siem`)
    .action(async (name: string, ids: readonly string[], options: Options) => {
      await webhookOf(name, cli);
      const daemon = await runningDaemon(cli);
      const body = { user: cli.context.user, name, ids: ids.length === 0 ? undefined : ids };
      const answer = await daemon.post('/api/webhooks/retry', body);
      if (answer === undefined) throw refusal(OTHER_FILE);
      const retried = Retried.parse(answer).ids;
      if (options.json) cli.screen.json({ retried });
      else for (const id of retried) cli.screen.line(`sent again  ${printable(id)}`);
      for (const id of ids) if (!retried.includes(id)) notThere(id, cli);
    });
  webhooks
    .command('drop')
    .summary('forget events that a webhook gave up or waits for')
    .description(
      'Forgets dead letters, so that they are not sent again. For the event that fails, the webhook goes on with the next ' +
        'one. The decision log keeps these events.',
    )
    .argument('<name>', 'the name of the webhook')
    .argument('<id...>', 'IDs of events')
    .option('--json', 'print one JSON document: dropped')
    .endHelp(`
Exit status: 0; 1 if the webhook does not have one of the events.

Example:
  scopemesh webhooks drop siem 01JDXK4T0QJ5W3M8V7Z2R6N9PB`)
    .action(async (name: string, ids: readonly string[], options: Options) => {
      await webhookOf(name, cli);
      const dropped: string[] = [];
      const daemon = await runningDaemon(cli);
      for (const id of ids) {
        const answer = await daemon.post('/api/webhooks/drop', { user: cli.context.user, name, id });
        if (answer !== undefined) dropped.push(id);
        else notThere(id, cli);
      }
      if (options.json) cli.screen.json({ dropped });
      else for (const id of dropped) cli.screen.line(`dropped  ${printable(id)}`);
    });
  addWebhooksTest(webhooks, cli);
}

function notThere(id: string, cli: Cli): void {
  cli.screen.warn(printable(`scopemesh: ${id}: the webhook neither gave this event up nor waits for it`));
  cli.exit(1);
}

const OTHER_FILE = 'the running daemon has no webhook of this name: restart it with this configuration file';
