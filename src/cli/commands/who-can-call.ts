import { accessText } from '../../app/access-text.js';
import { whoCanCall as askTrail } from '../../trail/who-can-call.js';
import { argument, defineCommand } from '../command.js';
import { readForeignCallers } from '../foreign-callers.js';
import { instantIn } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits } from '../terminal/trail-text.js';
import { AT, withTrail } from '../with-trail.js';

export const whoCanCall = defineCommand({
  name: 'who-can-call',
  summary: 'show which services may call a service, now or on a past day',
  description:
    'Shows from the decision log which services could call SERVICE, with the client, the scopes and the decisions ' +
    'behind each. Says what the log cannot know. Without --at it also lists what Consul allows now by intentions that ' +
    'scopemesh does not own.',
  takes: { service: argument('the called service'), ...AT },
  json: 'print one JSON document',
  examples: [
    'scopemesh who-can-call orders',
    'scopemesh who-can-call orders --at 2026-01-31T12:00:00Z',
    "scopemesh who-can-call orders --at 30d --json | jq '.callers[].source'",
  ],
  async ask(given, cli) {
    const answer = await withTrail(cli, given, async (trail) =>
      askTrail(trail, given.service, await instantIn(trail, given.at)),
    );
    if (!answer.isKnown) await refuseUnknown(given.service, 'service', cli);
    const opened = new Set(answer.callers.map(({ source }) => source));
    const foreign = given.at === undefined ? await readForeignCallers(given.service, opened, cli) : null;
    return { ...answer, foreign };
  },
  print({ foreign, ...answer }, { screen }, given) {
    if (answer.callers.length === 0)
      screen.text(`no service that scopemesh opened may call ${given.service}`);
    for (const edge of [...answer.callers, ...answer.held]) printEdge(edge, screen, edge.source);
    for (const { source, peer, destination, access } of foreign ?? []) {
      const name = peer === undefined ? source : `${source} (peer ${peer})`;
      screen.line(`${screen.colors.bold(printable(name))}  ${accessText(access)}`);
      screen.text(`    not owned by scopemesh: the intention ${name} -> ${destination} in Consul`);
    }
    printLimits(answer, screen);
  },
});
