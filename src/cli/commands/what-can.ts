import { accessText } from '../../app/access-text.js';
import { whatCan as askTrail, type Holdings } from '../../trail/what-can.js';
import type { Cli } from '../cli.js';
import { argument, defineCommand } from '../command.js';
import { readForeignCalls } from '../foreign-callers.js';
import { instantIn } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits, printObject } from '../terminal/trail-text.js';
import { AT, withTrail } from '../with-trail.js';

export const whatCan = defineCommand({
  name: 'what-can',
  summary: 'show what a client, a service or a person may do, now or on a past day',
  description:
    'Shows from the decision log the edges, ACL objects and claims of a client, a service or a person, with the ' +
    'decisions behind each. A client or a person may have the provider before it.',
  takes: { name: argument('a client ID, the name of a service, or the sub of a person'), ...AT },
  json: 'print one JSON document',
  examples: [
    'scopemesh what-can main/web-app',
    'scopemesh what-can web --at 2026-01-31T12:00:00Z',
    'scopemesh what-can 7d1f0c2e-5a35-4b8f-9a55-0f3c5b1f6a10 --json',
  ],
  async ask(given, cli) {
    const { name, at } = given;
    const answer = await withTrail(cli, given, async (trail) =>
      askTrail(trail, name, await instantIn(trail, at)),
    );
    const { found } = answer;
    if (found.length === 0) await refuseUnknown(name, 'client, service or person', cli);
    const edges = found.flatMap((each) => each.edges);
    const sources = new Set([
      ...(found.some(({ kind }) => kind === 'service') || found.length === 0 ? [name] : []),
      ...edges.map(({ source }) => source),
      ...found
        .flatMap(({ claims }) => claims)
        .map(({ subject }) => decodeURIComponent(subject.split('/').at(-1) ?? '')),
    ]);
    const opened = new Set(edges.map(({ source, destination }) => `${source} ${destination}`));
    return { ...answer, foreign: at === undefined ? await readForeignCalls(sources, opened, cli) : null };
  },
  print({ foreign, ...answer }, cli, { name }) {
    const { screen } = cli;
    if (answer.found.length === 0)
      screen.text(`the log has no client, service or person ${name} up to this instant`);
    for (const holdings of answer.found) print(holdings, cli);
    for (const { source, destination, access } of foreign ?? []) {
      const edge = `${source} -> ${destination}`;
      screen.line(`${screen.colors.bold(printable(edge))}  ${accessText(access)}`);
      screen.text(`    not owned by scopemesh: an intention in Consul allows ${edge}`);
    }
    printLimits(answer, screen);
  },
});

function print({ kind, name, edges, acl, claims, quarantine }: Holdings, { screen }: Cli): void {
  const { colors } = screen;
  screen.line(colors.bold(printable(`${kind} ${name}`)));
  if (quarantine !== undefined) {
    screen.line(colors.red('in quarantine'));
    printObject(quarantine, screen);
  }
  if (edges.length + acl.length + claims.length === 0) screen.line('nothing that scopemesh opened');
  for (const edge of edges) printEdge(edge, screen);
  for (const object of [...claims, ...acl]) printObject(object, screen);
}
