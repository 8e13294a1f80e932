import { z } from 'zod';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { createParkedKeys, unparkRefusal } from '../../queue/parked-keys.js';
import type { ParkedKey } from '../../queue/queue.js';
import type { Cli } from '../cli.js';
import { refusal } from '../daemon-client.js';
import { type DaemonOrStoreActions, withDaemonOrStore } from '../daemon-or-store.js';
import type { DocumentedCommand } from '../documented-command.js';
import { printParked } from '../terminal/parked-text.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
}

type Verb = 'retry' | 'drop';

/** The parked keys of the daemon, or of the store if no daemon runs. */
interface Parked {
  readonly keys: readonly ParkedKey[];
  readonly count: number;
  /** Throws with the reason if the key cannot be retried or dropped. */
  unpark(verb: Verb, key: string): Promise<void>;
}

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
        'daemon on this machine, or open the store if none runs.',
    );
  parked
    .command('list', { isDefault: true })
    .summary('list the parked keys')
    .description('Lists the parked keys: how often and since when the job failed, and the last error.')
    .option('--json', 'print one JSON document: parked and parkedCount')
    .endHelp('\nExit status: 0; 1 if the list cannot be read.')
    .action(async (options: Options) => {
      await withParked(cli, async ({ keys, count }) => {
        if (options.json) cli.screen.json({ parked: keys, parkedCount: count });
        else printParked(keys, count, systemClock.now(), cli.screen);
      });
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
  await withParked(cli, async (parked) => {
    for (const key of named.length > 0 ? named : new Set(parked.keys.map((each) => each.key))) {
      try {
        await parked.unpark(verb, key);
        done.push(key);
      } catch (error) {
        cli.signal.throwIfAborted();
        errors.push({ key, message: messageOf(error) });
      }
    }
  });
  const word = verb === 'retry' ? 'retried' : 'dropped';
  if (options.json) cli.screen.json({ [word]: done, errors });
  else for (const key of done) cli.screen.line(`${word}  ${printable(key)}`);
  for (const { key, message } of errors) cli.screen.warn(printable(`scopemesh: ${key}: ${message}`));
  if (errors.length > 0) cli.exit(1);
}

async function withParked(cli: Cli, use: (parked: Parked) => Promise<void>): Promise<void> {
  const actions: DaemonOrStoreActions<z.output<typeof StatusBody>, Parked> = {
    ofDaemon: (daemon, { parked, parkedCount }) => ({
      keys: parked,
      count: parkedCount,
      async unpark(verb, key) {
        const answer = await daemon.post(`/api/parked/${verb}`, { user: cli.context.user, key });
        if (answer === undefined) throw refusal(unparkRefusal('not-parked') ?? '');
      },
    }),
    async ofStore({ queue }) {
      const { parked } = await queue.state();
      const keys = createParkedKeys(queue, undefined);
      return {
        keys: parked,
        count: parked.length,
        async unpark(verb, key) {
          const why = unparkRefusal(await keys.unpark(key, verb === 'retry' ? 'run' : 'drop'));
          if (why !== undefined) throw refusal(why);
        },
      };
    },
  };
  await withDaemonOrStore(cli, StatusBody, actions, use);
}
