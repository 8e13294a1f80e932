import { accessText } from '../../app/access-text.js';
import { whoCanCall } from '../../trail/who-can-call.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { readForeignCallers } from '../foreign-callers.js';
import { instantIn } from '../instant.js';
import { refuseUnknown } from '../known-names.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits } from '../terminal/trail-text.js';
import { type AtOptions, withAt, withTrail } from '../with-trail.js';

export function addWhoCanCall(program: DocumentedCommand, cli: Cli): void {
  withAt(program.command('who-can-call'))
    .summary('show which services may call a service, now or on a past day')
    .description(
      'Shows from the decision log which services could call SERVICE, with the client, the scopes and the decisions ' +
        'behind each. Says what the log cannot know. Without --at it also lists what Consul allows now by intentions that ' +
        'scopemesh does not own.',
    )
    .argument('<service>', 'the called service')
    .endHelp(`
Examples:
  scopemesh who-can-call orders
  scopemesh who-can-call orders --at 2026-01-31T12:00:00Z
  scopemesh who-can-call orders --at 30d --json | jq '.callers[].source'`)
    .action(async (serviceName: string, options: AtOptions) => {
      const answer = await withTrail(cli, options, async (trail) =>
        whoCanCall(trail, serviceName, await instantIn(trail, options.at)),
      );
      if (!answer.isKnown) await refuseUnknown(serviceName, 'service', cli);
      const opened = new Set(answer.callers.map(({ source }) => source));
      const now =
        options.at === undefined ? await readForeignCallers(serviceName, opened, cli) : { foreign: null };
      const foreign = 'foreign' in now ? now.foreign : null;
      if ('trouble' in now)
        cli.screen.warn(printable(`scopemesh: the intentions of others are not listed: ${now.trouble}`));
      if (options.json) return cli.screen.json({ ...answer, foreign });
      if (answer.callers.length === 0)
        cli.screen.line(printable(`no service that scopemesh opened may call ${serviceName}`));
      for (const edge of answer.callers) printEdge(edge, cli.screen, edge.source);
      for (const edge of answer.held) printEdge(edge, cli.screen, edge.source);
      for (const { source, peer, destination, access } of foreign ?? []) {
        const name = peer === undefined ? source : `${source} (peer ${peer})`;
        cli.screen.line(`${cli.screen.colors.bold(printable(name))}  ${accessText(access)}`);
        cli.screen.line(
          printable(`    not owned by scopemesh: the intention ${name} -> ${destination} in Consul`),
        );
      }
      printLimits(answer, cli.screen);
    });
}
