import { CommanderError, Option } from 'commander';
import { ConfigError } from '../../config/config-error.js';
import { loadConfig, loadDaemonSettings, loadLogSettings } from '../../config/load.js';
import { readTextFile } from '../../config/read-text-file.js';
import { systemClock } from '../clock.js';
import { type ErrorCode, messageOf, SyncError } from '../errors.js';
import { definedFields } from '../model/defined-fields.js';
import { inertText } from '../model/printable.js';
import type { Cli, CliContext } from './cli.js';
import { addAccess } from './commands/access.js';
import { addAdopt } from './commands/adopt.js';
import { addApply } from './commands/apply.js';
import { addApprove } from './commands/approve.js';
import { addBackup } from './commands/backup.js';
import { addBlastRadius } from './commands/blast-radius.js';
import { addCompletion } from './commands/completion.js';
import { addDecisions } from './commands/decisions.js';
import { addDemo } from './commands/demo.js';
import { addDeny } from './commands/deny.js';
import { addDoctor } from './commands/doctor.js';
import { addEject } from './commands/eject.js';
import { addEvidence } from './commands/evidence.js';
import { addExplain } from './commands/explain.js';
import { addFreeze } from './commands/freeze.js';
import { addGrant } from './commands/grant.js';
import { addHistory } from './commands/history.js';
import { addImport } from './commands/import.js';
import { addLogs } from './commands/logs.js';
import { addParked } from './commands/parked.js';
import { addPlan } from './commands/plan.js';
import { addProviders } from './commands/providers.js';
import { addQuarantine } from './commands/quarantine.js';
import { addReach } from './commands/reach.js';
import { addRun } from './commands/run.js';
import { addTest } from './commands/test.js';
import { addTokens } from './commands/tokens.js';
import { addTrial } from './commands/trial.js';
import { addValidate } from './commands/validate.js';
import { addWebhooks } from './commands/webhooks.js';
import { addWhatCan } from './commands/what-can.js';
import { addWhoCanCall } from './commands/who-can-call.js';
import { DocumentedCommand } from './documented-command.js';
import { httpsProxyIn } from './https-proxy.js';
import { createLogger } from './logger.js';
import { createMetrics } from './metrics.js';
import { createScreen, printable, type Screen } from './terminal/screen.js';
import { readVersion } from './version.js';

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
      for (const add of COMMANDS) add(program, cli);
      try {
        await program.parseAsync([...argv]);
      } catch (error) {
        return report(error, argv.includes('--json'), screen, context);
      }
      return status;
    },
  };
}

const COMMANDS: readonly ((program: DocumentedCommand, cli: Cli) => void)[] = [
  addRun,
  addPlan,
  addApply,
  addExplain,
  addWhoCanCall,
  addWhatCan,
  addBlastRadius,
  addHistory,
  addAccess,
  addEvidence,
  addLogs,
  addReach,
  addValidate,
  addTest,
  addDoctor,
  addImport,
  addTrial,
  addAdopt,
  addEject,
  addApprove,
  addParked,
  addFreeze,
  addBackup,
  addGrant,
  addQuarantine,
  addDeny,
  addTokens,
  addProviders,
  addDecisions,
  addWebhooks,
  addDemo,
  addCompletion,
];

function createCommands({ stdout, stderr }: CliContext): DocumentedCommand {
  return new DocumentedCommand('scopemesh')
    .description(
      "Keeps Consul's service mesh authorisation equal to the OAuth clients and scopes of the identity provider.",
    )
    .version(readVersion(), '-V, --version')
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
    .endHelp(`
Examples:
  scopemesh validate                  check the configuration file
  scopemesh test                      check the mapping against examples
  scopemesh doctor                    check the servers and permissions
  scopemesh plan                      show what would change, and why
  scopemesh run                       keep Consul equal to the identity provider
  scopemesh explain web orders        explain whether web may call orders
  scopemesh reach web orders          check whether the call can also arrive
  scopemesh tokens --static           list the remaining static ACL tokens`);
}

function createCli(
  program: DocumentedCommand,
  context: CliContext,
  screen: Screen,
  exit: (status: number) => void,
): Cli {
  const loadOptions = () => ({
    path: program.opts<{ config: string }>().config,
    environment: context.environment,
    readFile: readTextFile,
  });
  return {
    context,
    screen,
    exit,
    signal: context.signal,
    loadOptions,
    openConfig: async () => (await loadConfig(loadOptions())).config,
    openDaemonSettings: () => loadDaemonSettings(loadOptions()),
    async openLogSettings() {
      const { settings, fault } = await loadLogSettings(loadOptions());
      if (fault !== undefined)
        screen.warn(
          `${fault.message}\nscopemesh: the configuration file has faults; this command uses only owner, decisions and state from it`,
        );
      return settings;
    },
    runtime(quiet) {
      const isDefault = program.getOptionValueSource('logLevel') === 'default';
      const { logLevel } = program.opts<{ logLevel: string }>();
      return {
        logger: createLogger({
          level: quiet && isDefault ? 'error' : logLevel,
          isTerminal: context.stderr.isTTY === true,
          colour: (context.environment.NO_COLOR ?? '') === '',
        }),
        metrics: createMetrics(),
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
  screen.warn(isConfig ? message : `scopemesh: ${printable(message)}`);
  if (error instanceof SyncError && SERVER_ERRORS.has(error.code))
    screen.warn('Run scopemesh doctor: it checks each server and says how to fix what it finds.');
  if (isJson)
    screen.json({ error: { code: error instanceof SyncError ? error.code : 'ERR_INTERNAL', message } });
  return 1;
}
