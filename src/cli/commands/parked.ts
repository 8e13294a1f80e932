import { z } from 'zod';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Cli } from '../cli.js';
import { refusal, runningDaemon, statusOf } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { printParked } from '../terminal/parked-text.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
}

type Verb = 'retry' | 'drop';

const NOT_PARKED = 'this key is not parked';

const StatusBody = z.object({
  parked: z.array(z.object({ key: z.string(), attempts: z.number(), error: z.string(), since: z.string() })),
  parkedCount: z.number(),
});

export function addParked(program: DocumentedCommand, cli: Cli): void {
  const parked = program
    .command('parked')
    .summary('list, retry or drop keys that failed too often')
    .description(
      'A key is parked when its job failed eight times in a row for a reason of its own. These commands ask the running ' +
        'daemon on this machine.',
    );
  parked
    .command('list', { isDefault: true })
    .summary('list the parked keys')
    .description('Lists the parked keys: how often and since when the job failed, and the last error.')
    .option('--json', 'print one JSON document: parked and parkedCount')
    .endHelp('\nExit status: 0; 1 if the list cannot be read.')
    .action(async (options: Options) => {
      const { parked, parkedCount } = statusOf(await runningDaemon(cli), StatusBody);
      if (options.json) cli.screen.json({ parked, parkedCount });
      else printParked(parked, parkedCount, systemClock.now(), cli.screen);
    });
  parked
    .command('retry')
    .summary('run parked keys again now')
    .description(
      'Runs the parked keys again now, without waiting for an event or a comparison. A key that fails again is parked again.',
    )
    .argument('[key...]', 'parked keys; none: all of them')
    .option('--json', 'print one JSON document')
    .endHelp(`
Exit status: 0; 1 if one of the keys is not parked.

Examples:
  scopemesh parked retry
  scopemesh parked retry client/main/web-app`)
    .action((keys: readonly string[], options: Options) => unparkAll('retry', keys, options, cli));
  parked
    .command('drop')
    .summary('forget parked keys')
    .description(
      'Forgets parked keys with what their events reported. Access stays as it is. The next complete comparison finds ' +
        'again what still differs, but as missing from a read and not as reported by an event: the mass guard counts such ' +
        'removals. A key with a revocation order is not dropped, because no comparison finds an order again.',
    )
    .argument('<key...>', 'parked keys')
    .option('--json', 'print one JSON document')
    .endHelp(`
Exit status: 0; 1 if one of the keys is not parked, runs at the moment, or has a revocation order.

Example:
  scopemesh parked drop client/main/web-app`)
    .action((keys: readonly string[], options: Options) => unparkAll('drop', keys, options, cli));
}

async function unparkAll(verb: Verb, named: readonly string[], options: Options, cli: Cli): Promise<void> {
  const done: string[] = [];
  const errors: { readonly key: string; readonly message: string }[] = [];
  const daemon = await runningDaemon(cli);
  const { parked } = statusOf(daemon, StatusBody);
  for (const key of named.length > 0 ? named : new Set(parked.map((each) => each.key))) {
    try {
      const answer = await daemon.post(`/api/parked/${verb}`, { user: cli.context.user, key });
      if (answer === undefined) throw refusal(NOT_PARKED);
      done.push(key);
    } catch (error) {
      cli.signal.throwIfAborted();
      errors.push({ key, message: messageOf(error) });
    }
  }
  const word = verb === 'retry' ? 'retried' : 'dropped';
  if (options.json) cli.screen.json({ [word]: done, errors });
  else for (const key of done) cli.screen.line(`${word}  ${printable(key)}`);
  for (const { key, message } of errors) cli.screen.warn(printable(`scopemesh: ${key}: ${message}`));
  if (errors.length > 0) cli.exit(1);
}
