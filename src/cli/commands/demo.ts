import { type Command, InvalidArgumentError } from 'commander';
import type { Cli } from '../cli.js';

interface Flags {
  readonly port?: number;
  readonly consulPort?: number;
  readonly idpPort?: number;
  readonly embedded?: true;
  readonly state?: string;
  readonly json?: true;
}

export function addDemo(program: Command, cli: Cli): void {
  program
    .command('demo')
    .summary('a small mesh and identity provider to play with')
    .description(
      'Starts a Consul, an identity provider, a shop of ten services and scopemesh, all on the loopback, and shows ' +
        'what to try. Nothing outside of its state directory is touched. A consul on the PATH is used if there is one.',
    )
    .option('--port <port>', 'where scopemesh listens (8080, or a free one)', parsePort)
    .option('--consul-port <port>', 'where Consul listens (8500, or a free one)', parsePort)
    .option('--idp-port <port>', 'where the identity provider listens (8085, or a free one)', parsePort)
    .option('--embedded', 'the embedded Consul, even if there is a consul on the PATH')
    .option('--state <directory>', 'keep what it writes here (a temporary directory, removed at the end)')
    .option('--json', 'print one line of JSON with addresses and tokens once ready, and nothing else')
    .addHelpText(
      'after',
      `
Exit status: 0 after ctrl-c; 1 if something did not start.

Examples:
  scopemesh demo
  scopemesh demo --embedded --port 0 --consul-port 0 --idp-port 0 --json`,
    )
    .action(async (flags: Flags) => {
      const [{ runDemo }, { createJsonReporter, createTextReporter }] = await Promise.all([
        import('../../demo/demo.js'),
        import('../../demo/reporter.js'),
      ]);
      const { stdout, stderr, environment, onReload, parts, runDaemon } = cli.around;
      // There is nothing to reload here: SIGHUP says that the terminal was closed.
      const hangUp = new AbortController();
      onReload(() => hangUp.abort());
      await runDemo(
        {
          parts,
          runDaemon,
          port: flags.port,
          consulPort: flags.consulPort,
          idpPort: flags.idpPort,
          isEmbedded: flags.embedded === true,
          stateDirectory: flags.state,
          logLevel: program.opts<{ logLevel?: string }>().logLevel ?? 'info',
          environment,
        },
        flags.json === true ? createJsonReporter(stdout, stderr) : createTextReporter(stdout, environment),
        AbortSignal.any([cli.signal, hangUp.signal]),
      );
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 (any free one) to 65535.');
}
