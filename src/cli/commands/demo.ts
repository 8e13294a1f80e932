import { InvalidArgumentError } from 'commander';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';

interface Flags {
  readonly port?: number;
  readonly consulPort?: number;
  readonly idpPort?: number;
  readonly embedded?: true;
  readonly state?: string;
  readonly json?: true;
}

export function addDemo(program: DocumentedCommand, cli: Cli): void {
  program
    .command('demo')
    .summary('run a small mesh and identity provider to try scopemesh')
    .description(
      'Starts Consul, an identity provider, a shop of ten services and scopemesh, all on the loopback interface, and ' +
        'shows what to try. It writes only to its state directory. It uses a consul on the PATH if there is one.',
    )
    .option('--port <port>', 'port of scopemesh (default: 8080, or a free port)', parsePort)
    .option('--consul-port <port>', 'port of Consul (default: 8500, or a free port)', parsePort)
    .option('--idp-port <port>', 'port of the identity provider (default: 8085, or a free port)', parsePort)
    .option('--embedded', 'use the embedded Consul even if there is a consul on the PATH')
    .option(
      '--state <directory>',
      'keep the state here (default: a temporary directory that is removed at the end)',
    )
    .option('--json', 'print only one line of JSON with addresses and tokens once everything runs')
    .endHelp(`
Exit status: 0 after ctrl-c, SIGTERM or SIGHUP, each of which ends the demo; 1 if something did not start.

Examples:
  scopemesh demo
  scopemesh demo --embedded --port 0 --consul-port 0 --idp-port 0 --json`)
    .action(async (flags: Flags) => {
      const [{ runDemo }, { createJsonReporter, createTextReporter }] = await Promise.all([
        import('../../demo/demo.js'),
        import('../../demo/reporter.js'),
      ]);
      const { stdout, stderr, environment, onReload, adapters, runDaemon } = cli.context;
      // The demo has nothing to reload: SIGHUP means that the terminal was closed.
      const hangUp = new AbortController();
      onReload(() => hangUp.abort());
      await runDemo(
        {
          parts: await adapters(),
          runDaemon,
          port: flags.port,
          consulPort: flags.consulPort,
          idpPort: flags.idpPort,
          isEmbedded: flags.embedded === true,
          stateDirectory: flags.state,
          logLevel: program.opts<{ logLevel?: string }>().logLevel ?? 'info',
          environment,
          user: cli.context.user,
        },
        flags.json === true ? createJsonReporter(stdout, stderr) : createTextReporter(stdout, environment),
        AbortSignal.any([cli.signal, hangUp.signal]),
      );
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('write a number from 0 (any free port) to 65535.');
}
