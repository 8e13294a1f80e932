import { FREEZE_DOCUMENT, freezeOf } from '../../app/documents.js';
import { NO_FREEZE } from '../../operator/freezes.js';
import { freezeText } from '../../plan/freeze.js';
import type { Cli } from '../cli.js';
import { defineCommand, defineGroup, option } from '../command.js';
import { askDaemon, runningDaemon, statusOf } from '../daemon-client.js';
import { parseFor, parseReason } from '../option-values.js';

function print(document: Parameters<typeof freezeOf>[0], { screen }: Cli): void {
  const freeze = freezeOf(document);
  screen.text(freeze === undefined ? NO_FREEZE : freezeText(freeze));
}

const status = defineCommand({
  name: 'status',
  isDefault: true,
  summary: 'show the freeze in effect',
  description: 'Shows whether a freeze is in effect, why and until when.',
  takes: {},
  json: FREEZE_DOCUMENT,
  exit: '0; 1 on error.',
  ask: async (_, cli) => statusOf(await runningDaemon(cli), FREEZE_DOCUMENT),
  print,
});

const start = defineCommand({
  name: 'start',
  summary: 'let only revocations pass',
  description:
    'Starts a freeze. It survives restarts and takes the place of one that was started before. The decision names you.',
  takes: {
    reason: option('<text>', 'why; decisions and holds repeat it', parseReason),
    for: option(
      '<duration>',
      'end it after this time, such as 90m; otherwise it lasts until freeze end',
      parseFor(366, '90m'),
    ),
  },
  json: FREEZE_DOCUMENT,
  exit: '0; 1 if it cannot be started.',
  examples: ['scopemesh freeze start --reason "release 42" --for 4h'],
  async ask({ reason, for: forMs }, cli) {
    const forSeconds = forMs === undefined ? undefined : forMs / 1000;
    return askDaemon(cli, '/api/freeze/start', { reason, forSeconds }, FREEZE_DOCUMENT);
  },
  print,
});

const end = defineCommand({
  name: 'end',
  summary: 'make what the freeze held',
  description:
    'Ends the freeze that freeze start began. What it held is planned and made at once. A freeze of guards.freeze ends ' +
    'by its schedule, or by a change of the file. Shows the scheduled freeze that continues, if there is one.',
  takes: { reason: option('<text>', 'why; the decision repeats it', parseReason) },
  json: FREEZE_DOCUMENT,
  exit: '0; 1 if no freeze was started.',
  ask: ({ reason }, cli) => askDaemon(cli, '/api/freeze/end', { reason }, FREEZE_DOCUMENT),
  print,
});

export const freeze = defineGroup(
  'freeze',
  {
    summary: 'start or end a freeze: only revocations pass',
    description:
      'During a freeze scopemesh makes no change that opens or widens access. Revocations pass at once. What is held has ' +
      'the reason Frozen, and is made when the freeze ends. These commands ask the running daemon on this machine.',
  },
  [status, start, end],
);
