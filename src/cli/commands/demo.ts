import { InvalidArgumentError } from 'commander';
import { defineCommand, flag, option } from '../command.js';

export const demo = defineCommand({
  name: 'demo',
  summary: 'run a small mesh and identity provider to try scopemesh',
  description:
    'Starts Consul, an identity provider, a shop of ten services and scopemesh, all on the loopback interface, and ' +
    'shows what to try. It writes only to its state directory. It uses a consul on the PATH if there is one.',
  takes: {
    port: option('<port>', 'port of scopemesh (default: 8080, or a free port)', parsePort),
    consulPort: option('<port>', 'port of Consul (default: 8500, or a free port)', parsePort),
    idpPort: option('<port>', 'port of the identity provider (default: 8085, or a free port)', parsePort),
    embedded: flag('use the embedded Consul even if there is a consul on the PATH'),
    state: option(
      '<directory>',
      'keep the state here (default: a temporary directory that is removed at the end)',
    ),
  },
  json: 'print only one line of JSON with addresses and tokens once everything runs',
  exit: '0 after ctrl-c, SIGTERM or SIGHUP, each of which ends the demo; 1 if something did not start.',
  examples: ['scopemesh demo', 'scopemesh demo --embedded --port 0 --consul-port 0 --idp-port 0 --json'],
  async run({ port, consulPort, idpPort, embedded, state, json }, cli) {
    const [{ runDemo }, { createJsonReporter, createTextReporter }] = await Promise.all([
      import('../../demo/demo.js'),
      import('../../demo/reporter.js'),
    ]);
    const { stdout, stderr, environment, onReload, adapters, runDaemon, user } = cli.context;
    // The demo has nothing to reload: SIGHUP means that the terminal was closed.
    const hangUp = new AbortController();
    onReload(() => hangUp.abort());
    await runDemo(
      {
        ...{ parts: await adapters(), runDaemon, environment, user },
        ...{ port, consulPort, idpPort, isEmbedded: embedded === true, stateDirectory: state },
        logLevel: cli.program.opts<{ logLevel: string }>().logLevel,
      },
      json ? createJsonReporter(stdout, stderr) : createTextReporter(stdout, environment),
      AbortSignal.any([cli.signal, hangUp.signal]),
    );
  },
});

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('write a number from 0 (any free port) to 65535.');
}
