import { CommanderError, Option, Command as Program } from 'commander';
import { ConfigError } from '../../config/config-error.js';
import { readTextFile } from '../../config/read-text-file.js';
import { readBuild, versionText } from '../app/version.js';
import { systemClock } from '../clock.js';
import { type ErrorCode, messageOf, SyncError } from '../errors.js';
import { definedFields } from '../model/defined-fields.js';
import { inertText } from '../model/printable.js';
import { noMetrics } from '../observe.js';
import type { Cli, CliContext } from './cli.js';
import type { Command } from './command.js';
import { httpsProxyIn } from './https-proxy.js';
import { createScreen, type Screen } from './terminal/screen.js';

/** Resolves with the exit status. */
export function createProgram(context: CliContext): { run(argv: readonly string[]): Promise<number> } {
  const screen = createScreen({
    stdout: context.stdout,
    stderr: context.stderr,
    isInputTerminal: context.stdin.isTTY === true,
    noColor: (context.environment.NO_COLOR ?? '') !== '',
  });
  return {
    async run(argv) {
      let status = 0;
      const exit = (next: number) => {
        status = next;
      };
      const program = createCommands(context);
      const cli = createCli(program, context, screen, exit);
      for (const { add } of await Promise.all(commandsFor(argv).map((load) => load()))) add(program, cli);
      try {
        await program.parseAsync([...argv]);
      } catch (error) {
        return report(error, argv.includes('--json'), screen, context);
      }
      return status;
    },
  };
}

/** In the order of the help. Each is loaded only where it is needed: all of them take a second. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.js')).run,
  console: async () => (await import('./commands/console.js')).openConsole,
  plan: async () => (await import('./commands/plan.js')).plan,
  apply: async () => (await import('./commands/apply.js')).apply,
  explain: async () => (await import('./commands/explain.js')).explain,
  'who-can-call': async () => (await import('./commands/who-can-call.js')).whoCanCall,
  'what-can': async () => (await import('./commands/what-can.js')).whatCan,
  'blast-radius': async () => (await import('./commands/blast-radius.js')).blastRadius,
  history: async () => (await import('./commands/history.js')).history,
  access: async () => (await import('./commands/access.js')).access,
  evidence: async () => (await import('./commands/evidence.js')).evidence,
  logs: async () => (await import('./commands/logs.js')).logs,
  validate: async () => (await import('./commands/validate.js')).validate,
  test: async () => (await import('./commands/test.js')).test,
  doctor: async () => (await import('./commands/doctor.js')).doctor,
  import: async () => (await import('./commands/import.js')).importMapping,
  trial: async () => (await import('./commands/trial.js')).trial,
  adopt: async () => (await import('./commands/adopt.js')).adopt,
  eject: async () => (await import('./commands/eject.js')).eject,
  approve: async () => (await import('./commands/approve.js')).approve,
  reject: async () => (await import('./commands/approve.js')).reject,
  parked: async () => (await import('./commands/parked.js')).parked,
  freeze: async () => (await import('./commands/freeze.js')).freeze,
  backup: async () => (await import('./commands/backup.js')).backup,
  grant: async () => (await import('./commands/grant.js')).grant,
  quarantine: async () => (await import('./commands/quarantine.js')).quarantine,
  deny: async () => (await import('./commands/deny.js')).deny,
  tokens: async () => (await import('./commands/tokens.js')).tokens,
  providers: async () => (await import('./commands/providers.js')).providers,
  decisions: async () => (await import('./commands/decisions.js')).decisions,
  webhooks: async () => (await import('./commands/webhooks.js')).webhooks,
  demo: async () => (await import('./commands/demo.js')).demo,
  completion: async () => (await import('./commands/completion.js')).completion,
};

/** The command that the arguments name; all commands for help, for the completion, and for a name that there is not. */
function commandsFor(argv: readonly string[]): readonly (() => Promise<Command>)[] {
  if (argv.includes('--version') || argv.includes('-V')) return [];
  const [name = ''] = withoutOptions(argv.slice(2));
  const named = name === 'completion' || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  return named === undefined ? Object.values(COMMANDS) : [named];
}

/** The arguments from the first one that is no option of the program. */
function withoutOptions([first, ...rest]: readonly string[]): readonly string[] {
  if (first === undefined || !first.startsWith('-')) return first === undefined ? [] : [first, ...rest];
  if (['-h', '--help'].includes(first)) return [];
  return withoutOptions(['-c', '--config', '--log-level'].includes(first) ? rest.slice(1) : rest);
}

function createCommands({ stdout, stderr }: CliContext): Program {
  return new Program('scopemesh')
    .description(
      "Keeps Consul's service mesh authorisation equal to the OAuth clients and scopes of the identity provider.",
    )
    .version(versionText(readBuild()), '-V, --version')
    .configureOutput({
      writeOut: (text) => void stdout.write(inertText(text)),
      writeErr: (text) => void stderr.write(inertText(text)),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
    .showHelpAfterError('(see scopemesh --help)')
    .addOption(
      new Option('-c, --config <file>', 'the configuration file')
        .env('SCOPEMESH_CONFIG')
        .default('./scopemesh.yaml'),
    )
    .addOption(
      new Option('--log-level <level>', 'the lowest level that is logged')
        .env('LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Examples:
  scopemesh validate                  check the configuration file
  scopemesh test                      check the mapping against examples
  scopemesh doctor                    check the servers and permissions
  scopemesh plan                      show what would change, and why
  scopemesh run                       keep Consul equal to the identity provider
  scopemesh console                   open the console in a browser
  scopemesh explain web orders        explain whether web may call orders, and whether the call arrives
  scopemesh tokens --static           list the remaining static ACL tokens`,
    );
}

function createCli(
  program: Program,
  context: CliContext,
  screen: Screen,
  exit: (status: number) => void,
): Cli {
  const loadOptions = () => ({
    path: program.opts<{ config: string }>().config,
    environment: context.environment,
    readFile: readTextFile,
  });
  const configuration = () => import('../../config/load.js');
  return {
    context,
    screen,
    exit,
    program,
    signal: context.signal,
    loadOptions,
    openConfig: async () => (await (await configuration()).loadConfig(loadOptions())).config,
    openDaemonSettings: async () => (await configuration()).loadDaemonSettings(loadOptions()),
    async openLogSettings() {
      const { loadLogSettings } = await configuration();
      const { settings, fault } = await loadLogSettings(loadOptions());
      if (fault !== undefined)
        screen.warn(
          ...fault.message.split('\n'),
          'scopemesh: the configuration file has faults; this command uses only owner, decisions and state from it',
        );
      return settings;
    },
    async runtime(quiet) {
      const { createLogger } = await import('./logger.js');
      const isDefault = program.getOptionValueSource('logLevel') === 'default';
      const { logLevel } = program.opts<{ logLevel: string }>();
      return {
        logger: createLogger({
          level: quiet && isDefault ? 'error' : logLevel,
          isTerminal: context.stderr.isTTY === true,
          colour: (context.environment.NO_COLOR ?? '') === '',
        }),
        metrics: noMetrics,
        clock: systemClock,
        ...definedFields({ proxy: httpsProxyIn(context.environment) }),
      };
    },
  };
}

/** Errors that scopemesh doctor explains in more detail. */
const SERVER_ERRORS = new Set<ErrorCode>([
  'ERR_CONSUL_UNREACHABLE',
  'ERR_CONSUL_DENIED',
  'ERR_DIRECTORY_UNREACHABLE',
  'ERR_DIRECTORY_DENIED',
]);

/** With --json, stdout has one document also after an error. */
function report(error: unknown, isJson: boolean, screen: Screen, context: CliContext): number {
  if (error instanceof CommanderError) return error.exitCode;
  const message = context.signal.aborted ? 'stopped by a signal' : messageOf(error);
  const isConfig = error instanceof ConfigError;
  // Faults of the configuration are printed one per line, as compilers do.
  screen.warn(...(isConfig ? message.split('\n') : [`scopemesh: ${message}`]));
  if (error instanceof SyncError && SERVER_ERRORS.has(error.code))
    screen.warn('Run scopemesh doctor: it checks each server and says how to fix what it finds.');
  if (isJson)
    screen.json({ error: { code: error instanceof SyncError ? error.code : 'ERR_INTERNAL', message } });
  return 1;
}
