import type { ReadStream, WriteStream } from 'node:tty';
import { Command, CommanderError, Option } from 'commander';
import { ConfigError } from '../config/config-error.js';
import { loadConfig } from '../config/load.js';
import { readTextFile } from '../config/read-text-file.js';
import { systemClock } from '../src/clock.js';
import { messageOf } from '../src/errors.js';
import { ROLES, type Role, runDaemon } from './commands/run.js';
import { createLogger } from './logger.js';
import { createMetrics } from './metrics.js';

/** What the process hands in; the program itself touches neither signals nor `process`. */
export interface Surroundings {
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onReload: (listener: () => void) => void;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  readonly stdin: ReadStream;
}

/** Resolves with the exit status. */
export function createProgram(around: Surroundings): { run(argv: readonly string[]): Promise<number> } {
  return {
    async run(argv) {
      let status = 0;
      const program = new Command('scopemesh')
        .description("Keeps Consul's mesh authorisation equal to what OAuth clients and scopes say.")
        .exitOverride()
        .showHelpAfterError('(see scopemesh --help)')
        .addOption(
          new Option('-c, --config <file>', 'the configuration file')
            .env('SCOPEMESH_CONFIG')
            .default('./scopemesh.yaml'),
        )
        .addOption(
          new Option('--log-level <level>', 'what is logged')
            .env('LOG_LEVEL')
            .choices(['debug', 'info', 'warn', 'error'])
            .default('info'),
        );
      const open = () => openConfig(program.opts<{ config: string }>().config, around);
      const ambience = () => ({
        logger: createLogger({
          level: program.opts<{ logLevel: string }>().logLevel,
          isTerminal: around.stderr.isTTY === true,
          colour: around.environment.NO_COLOR === undefined,
        }),
        metrics: createMetrics(),
        clock: systemClock,
      });

      program
        .command('run')
        .description('the daemon: keeps both sides equal until it is stopped')
        .option('--only <roles>', `only some of its parts: ${ROLES.join(',')}`, parseRoles, [...ROLES])
        .action(async (options: { only: readonly Role[] }) => {
          const config = await open();
          await runDaemon(
            { config, only: options.only, reload: open, onReload: around.onReload },
            ambience(),
            around.signal,
          );
        });
      program
        .command('validate')
        .description('checks the configuration file without any server')
        .action(async () => {
          await open();
          around.stdout.write('The configuration is valid.\n');
        });

      try {
        await program.parseAsync([...argv]);
      } catch (error) {
        status = report(error, around);
      }
      return status;
    },
  };
}

async function openConfig(path: string, around: Surroundings) {
  const { config } = await loadConfig({ path, environment: around.environment, readFile: readTextFile });
  return config;
}

function report(error: unknown, around: Surroundings): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (around.signal.aborted && error === around.signal.reason) return 0;
  around.stderr.write(
    error instanceof ConfigError ? `${error.message}\n` : `scopemesh: ${messageOf(error)}\n`,
  );
  return 1;
}

function parseRoles(text: string): readonly Role[] {
  const roles = text.split(',').map((role) => role.trim());
  return roles.map((role) => {
    const known = ROLES.find((each) => each === role);
    if (known === undefined)
      throw new Error(`unknown role ${JSON.stringify(role)}; choose from ${ROLES.join(',')}`);
    return known;
  });
}
