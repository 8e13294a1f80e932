import { accessText } from '../../app/access-text.js';
import { type Holdings, whatCan } from '../../trail/what-can.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { readForeignCalls } from '../foreign-callers.js';
import { instantIn } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits, printObject } from '../terminal/trail-text.js';
import { type AtOptions, withAt, withTrail } from '../with-trail.js';

export function addWhatCan(program: DocumentedCommand, cli: Cli): void {
  withAt(program.command('what-can'))
    .summary('show what a client, a service or a person may do, now or on a past day')
    .description(
      'Shows from the decision log the edges, ACL objects and claims of a client, a service or a person, with the ' +
        'decisions behind each. A client or a person may have the provider before it.',
    )
    .argument('<name>', 'a client ID, the name of a service, or the sub of a person')
    .endHelp(`
Examples:
  scopemesh what-can main/web-app
  scopemesh what-can web --at 2026-01-31T12:00:00Z
  scopemesh what-can 7d1f0c2e-5a35-4b8f-9a55-0f3c5b1f6a10 --json`)
    .action(async (name: string, options: AtOptions) => {
      const answer = await withTrail(cli, options, async (trail) =>
        whatCan(trail, name, await instantIn(trail, options.at)),
      );
      if (answer.found.length === 0) await refuseUnknown(name, 'client, service or person', cli);
      const edges = answer.found.flatMap((each) => each.edges);
      const claims = answer.found.flatMap((each) => each.claims);
      const sources = new Set([
        ...(answer.found.some(({ kind }) => kind === 'service') || answer.found.length === 0 ? [name] : []),
        ...edges.map(({ source }) => source),
        ...claims.flatMap(({ subject }) => decodeURIComponent(subject.split('/').at(-1) ?? '')),
      ]);
      const opened = new Set(edges.map(({ source, destination }) => `${source} ${destination}`));
      const now = options.at === undefined ? await readForeignCalls(sources, opened, cli) : { foreign: null };
      const foreign = 'foreign' in now ? now.foreign : null;
      if ('trouble' in now)
        cli.screen.warn(printable(`scopemesh: the intentions of others are not listed: ${now.trouble}`));
      if (options.json) return cli.screen.json({ ...answer, foreign });
      if (answer.found.length === 0)
        cli.screen.line(printable(`the log has no client, service or person ${name} up to this instant`));
      for (const holdings of answer.found) print(holdings, cli);
      for (const { source, destination, access } of foreign ?? []) {
        const edge = `${source} -> ${destination}`;
        cli.screen.line(`${cli.screen.colors.bold(printable(edge))}  ${accessText(access)}`);
        cli.screen.line(printable(`    not owned by scopemesh: an intention in Consul allows ${edge}`));
      }
      printLimits(answer, cli.screen);
    });
}

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
