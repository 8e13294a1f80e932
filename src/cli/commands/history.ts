import { accessText } from '../../app/access-text.js';
import { toCloudEvent } from '../../decisions/envelope.js';
import type { Decision } from '../../model/decision.js';
import { toAccess } from '../../trail/content.js';
import { historyOf } from '../../trail/history.js';
import type { Cli } from '../cli.js';
import { argument, defineCommand, option, preset } from '../command.js';
import { parseInstant } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { parseWhole } from '../option-values.js';
import { decisionText } from '../terminal/decision-text.js';
import { printable } from '../terminal/screen.js';
import { FROM_TOPIC, withTrail } from '../with-trail.js';

export const history = defineCommand({
  name: 'history',
  summary: 'show the decisions about a client, a service, a person or a subject',
  description:
    'Shows the newest decisions about NAME, oldest first, with what was before and after, the reason, the cause and ' +
    'the principal. NAME is a client ID, a service, the sub of a person, a principal, or the subject of decisions.',
  takes: {
    name: argument('what the decisions are about'),
    fromTopic: FROM_TOPIC,
    since: option('<when>', 'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d)', parseInstant),
    until: option('<when>', 'an instant or an age', parseInstant),
    limit: preset('<number>', 'how many of the newest decisions', 100, parseWhole(1), 'n'),
  },
  json: 'print one JSON document',
  examples: [
    'scopemesh history main/web-app',
    'scopemesh history orders --since 30d',
    'scopemesh history intention/default/default/orders/web --json',
  ],
  async ask({ name, since, until, limit, fromTopic }, cli) {
    const answer = await withTrail(cli, { fromTopic }, (trail) =>
      historyOf(trail, name, { from: since, to: until, limit }),
    );
    // A subject is no name, and a name may have decisions outside of the period.
    const isAlways = since === undefined && until === undefined;
    if (answer.decisions.length === 0 && isAlways && !name.includes('/'))
      await refuseUnknown(name, 'client, service or person', cli);
    return answer;
  },
  document: (answer) => ({ ...answer, decisions: answer.decisions.map(toCloudEvent) }),
  print({ decisions, unknown }, cli, { name, limit }) {
    const { screen } = cli;
    if (decisions.length === 0) screen.text(`the log has no decision about ${name}`);
    for (const decision of decisions) print(decision, cli);
    for (const each of unknown) screen.line(screen.colors.dim(printable(each)));
    if (decisions.length === limit) screen.warn(`only the newest ${limit} decisions are shown; see --limit`);
  },
});

function print(decision: Decision, { screen }: Cli): void {
  const { cause, before, after, resource } = decision;
  screen.line(decisionText(decision, screen.colors));
  const text = (content: unknown) =>
    resource.kind === 'intention' ? accessText(toAccess(content)) : JSON.stringify(content ?? null);
  if (before !== undefined || after !== undefined) screen.text(`    ${text(before)} => ${text(after)}`);
  const event = cause.eventId === undefined ? '' : ` ${cause.eventId}`;
  screen.text(`    ${decision.id}  ${cause.kind}${event}, received ${cause.receivedAt}`);
}
