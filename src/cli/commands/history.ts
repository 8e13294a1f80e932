import { accessText } from '../../app/access-text.js';
import { toCloudEvent } from '../../decisions/envelope.js';
import type { Decision } from '../../model/decision.js';
import { toAccess } from '../../trail/content.js';
import { historyOf } from '../../trail/history.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { parseInstant } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { parseWhole } from '../option-values.js';
import { decisionText } from '../terminal/decision-text.js';
import { printable } from '../terminal/screen.js';
import { type TrailOptions, withTrail, withTrailOptions } from '../with-trail.js';

interface Options extends TrailOptions {
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

const LIMIT = 100;

export function addHistory(program: DocumentedCommand, cli: Cli): void {
  withTrailOptions(program.command('history'))
    .summary('show the decisions about a client, a service, a person or a subject')
    .description(
      'Shows the newest decisions about NAME, oldest first, with what was before and after, the reason, the cause and ' +
        'the principal. NAME is a client ID, a service, the sub of a person, a principal, or the subject of decisions.',
    )
    .argument('<name>', 'what the decisions are about')
    .option('--since <when>', 'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d)', parseInstant)
    .option('--until <when>', 'an instant or an age', parseInstant)
    .option('-n, --limit <number>', 'how many of the newest decisions', parseWhole(1), LIMIT)
    .endHelp(`
Examples:
  scopemesh history main/web-app
  scopemesh history orders --since 30d
  scopemesh history intention/default/default/orders/web --json`)
    .action(async (name: string, { since, until, limit, ...options }: Options) => {
      const answer = await withTrail(cli, options, (trail) =>
        historyOf(trail, name, { from: since, to: until, limit }),
      );
      const { decisions: found, unknown } = answer;
      // A subject is no name, and a name may have decisions outside of the period.
      const isAlways = since === undefined && until === undefined;
      if (found.length === 0 && isAlways && !name.includes('/'))
        await refuseUnknown(name, 'client, service or person', cli);
      if (options.json) return cli.screen.json({ ...answer, decisions: found.map(toCloudEvent) });
      if (found.length === 0) cli.screen.line(printable(`the log has no decision about ${name}`));
      for (const decision of found) print(decision, cli);
      for (const limit of unknown) cli.screen.line(cli.screen.colors.dim(printable(limit)));
      if (found.length === limit)
        cli.screen.warn(`only the newest ${limit} decisions are shown; see --limit`);
    });
}

function print(decision: Decision, { screen }: Cli): void {
  const { cause, before, after, resource } = decision;
  screen.line(decisionText(decision, screen.colors));
  const text = (content: unknown) =>
    resource.kind === 'intention' ? accessText(toAccess(content)) : JSON.stringify(content ?? null);
  if (before !== undefined || after !== undefined)
    screen.line(printable(`    ${text(before)} => ${text(after)}`));
  const event = cause.eventId === undefined ? '' : ` ${cause.eventId}`;
  screen.line(printable(`    ${decision.id}  ${cause.kind}${event}, received ${cause.receivedAt}`));
}
