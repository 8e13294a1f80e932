import { isReachable } from '../../plan/reach.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { readReach } from '../read-reach.js';
import { behindText, reachTexts } from '../terminal/reach-text.js';
import { printable } from '../terminal/screen.js';
import { withConsul } from '../with-consul.js';

const NOT_REACHABLE = 4;

export function addReach(program: DocumentedCommand, cli: Cli): void {
  program
    .command('reach')
    .summary('check whether an allowed call can also arrive')
    .description(
      'Checks what an intention does not say: whether SOURCE has a sidecar with an upstream of DESTINATION, ' +
        'or is a gateway with a route to it, the ' +
        'protocols agree, a resolver, splitter or router sends the calls elsewhere, and DESTINATION or its gateway ' +
        'has passing endpoints. Prints the registration or config entry that mends each. A printed registration keeps ' +
        'what the catalog has of the instance, with its claim. Of another datacenter or a peer it knows only the mesh ' +
        'gateways of this datacenter. Reads only Consul.',
    )
    .argument('<source>', 'the calling service')
    .argument('<destination>', 'the called service')
    .option('--json', 'print one JSON document: reachable, obstacles, and the terminating gateways (behind)')
    .endHelp(`
Exit status: 0 if calls can arrive; 4 if not; 1 on error. Whether they are allowed: scopemesh explain.

Examples:
  scopemesh reach web orders
  scopemesh reach web orders --json | jq -r '.obstacles[].remedy'`)
    .action(async (from: string, to: string, options: { readonly json?: true }) => {
      const config = await cli.openConfig();
      const { partition = 'default', namespace = 'default' } = config.consul;
      const place = { partition, namespace };
      const [source, destination] = [
        { ...place, name: from },
        { ...place, name: to },
      ];
      const { catalog, found } = await withConsul(cli, config, async (consul) => {
        const catalog = await consul.readCatalog(cli.signal);
        const [found] = await readReach([{ source, destination }], consul, catalog, cli.signal);
        return { catalog, found };
      });
      const { obstacles = [], behind = [] } = found ?? {};
      const reachable = isReachable(obstacles);
      if (options.json) cli.screen.json({ reachable, source: from, destination: to, obstacles, behind });
      else {
        const { colors } = cli.screen;
        const verdict = reachable ? colors.green('reachable') : colors.red('not reachable');
        cli.screen.line(`${verdict}  ${colors.bold(printable(`${from} -> ${to}`))}`);
        if (behind.length > 0) cli.screen.line(`  ${printable(behindText(to, behind))}`);
        const known = new Set(catalog.services.map(({ name }) => name.name));
        for (const name of behind.length > 0 ? [from] : [from, to])
          if (!known.has(name))
            cli.screen.line(`  ${printable(`${name} is not registered in Consul; check the spelling`)}`);
        for (const text of reachTexts(obstacles)) cli.screen.line(`  ${printable(text)}`);
      }
      if (!reachable) cli.exit(NOT_REACHABLE);
    });
}
