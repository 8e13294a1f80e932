import { accessText } from '../../app/access-text.js';
import { type BlastView, blastAt, blastNow, meshNow } from '../../app/blast-view.js';
import { countText } from '../../app/count-text.js';
import { hasTrail } from '../../app/has-decision-log.js';
import { systemClock } from '../../clock.js';
import type { Cli } from '../cli.js';
import { argument, defineCommand } from '../command.js';
import { withCurrentState } from '../load-current-state.js';
import { columns, printable } from '../terminal/screen.js';
import { learnUnrecorded } from '../unrecorded-edges.js';
import { AT, withTrail, withTrailIfAny } from '../with-trail.js';

export const blastRadius = defineCommand({
  name: 'blast-radius',
  summary: 'show what a compromised client or service can reach, and what a quarantine ends',
  description:
    'Shows everything that a client or a service reaches, directly and in further hops, with the shortest way to each ' +
    'protected service, and which edges end if the client is put in quarantine. Without --at it reads Consul, with ' +
    'foreign intentions and wildcards; with --at it reads the decision log.',
  takes: { name: argument('a client ID, with or without the provider before it, or a service'), ...AT },
  json: 'print one JSON document',
  examples: [
    'scopemesh blast-radius main/web-app',
    'scopemesh blast-radius web --at 2026-01-31T12:00:00Z',
    "scopemesh blast-radius web --json | jq '.reached[].service'",
  ],
  async ask({ name, at, fromTopic }, cli) {
    if (at !== undefined) {
      const { guards } = await cli.openConfig();
      return withTrail(cli, { fromTopic }, (trail) => blastAt(name, guards.protected, trail, at));
    }
    return withCurrentState(cli, async (sides) => {
      const { config, world } = sides;
      const now = systemClock.now();
      const edges = [...world.entries.values()].map(({ raw }) => ({ before: raw }));
      await learnUnrecorded(sides, edges, cli);
      // A read of a whole topic is not worth the wait: it only adds the decisions.
      const mesh = await meshNow(name, world, now);
      if (!hasTrail(config) && fromTopic !== true) return blastNow(mesh, undefined, now);
      return withTrailIfAny(cli, { fromTopic }, (trail) => blastNow(mesh, trail, now));
    });
  },
  print,
});

function print(view: BlastView, { screen }: Cli): void {
  const { line, colors } = screen;
  const { starts, reached, endsAtQuarantine, client } = view;
  const whose = client === undefined ? '' : ` (client ${client.provider}/${client.clientId})`;
  line(
    colors.bold(
      printable(
        `${view.name}${whose}: ${countText(reached.length, 'service')} in reach from ${starts.join(', ')}`,
      ),
    ),
  );
  const rows = reached.map(({ service, hops, path, edge, staysReachable }) => [
    String(hops),
    printable(service),
    printable(path.join(' -> ')),
    accessText(edge.access),
    edge.writer === 'foreign' ? 'foreign' : '',
    staysReachable ? '' : 'ends at a quarantine',
    edge.decisionId ?? '',
  ]);
  for (const row of columns([['hops', 'service', 'way', 'access', '', '', 'decision'], ...rows])) line(row);
  line();
  for (const each of view.protected)
    line(
      each.path === null
        ? printable(`protected ${each.service}: not in reach`)
        : colors.red(printable(`protected ${each.service}: ${each.path.join(' -> ')}`)),
    );
  const ended = reached.filter(({ staysReachable }) => !staysReachable).length;
  line(
    client === undefined
      ? 'no client is behind it, so a quarantine ends nothing'
      : `a quarantine ends ${countText(endsAtQuarantine.length, 'edge')}; ${countText(ended, 'service')} would no longer be in reach`,
  );
  line();
  line(colors.dim(`at ${view.at}, from ${view.from === 'consul' ? 'Consul' : 'the decision log'}`));
  for (const limit of view.unknown) line(colors.dim(printable(limit)));
}
