import type { Command } from 'commander';
import type { Config } from '../../config/config.js';
import type { DaemonSettings, LoadOptions } from '../../config/load.js';
import type { AdapterFactory, DecisionLogSettings } from '../app/adapter-factory.js';
import type { RunDaemon } from '../app/run-daemon.js';
import type { Runtime } from '../runtime.js';
import type { Output, Screen } from './terminal/screen.js';

/** What the process provides. The program itself uses neither signals nor `process`. */
export interface CliContext {
  /** Loaded by those commands that need them. */
  readonly adapters: () => Promise<AdapterFactory>;
  readonly runDaemon: RunDaemon;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onReload: (listener: () => void) => void;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** The user who runs the command; decisions name them. */
  readonly user: string;
  /** Tells the process that started this one how far a long command is. */
  readonly report?: (progress: Progress) => void;
}

export interface Progress {
  /** Decisions that were verified. */
  readonly checked: number;
  /** Of how many; null: not known. */
  readonly of: number | null;
}

/** What every command works with. */
export interface Cli {
  readonly context: CliContext;
  readonly signal: AbortSignal;
  readonly screen: Screen;
  /** All commands, and the options before them. */
  readonly program: Command;
  /** Where the configuration file is, and how to read it and its neighbours. */
  loadOptions(): LoadOptions;
  /** Reads the configuration file; throws ConfigError with every fault. */
  openConfig(): Promise<Config>;
  /** Reads where the daemon is; nothing else in the file need be right. */
  openDaemonSettings(): Promise<DaemonSettings>;
  /** Reads where the decisions are, and warns if the rest of the file has faults. */
  openLogSettings(): Promise<DecisionLogSettings>;
  /** `quiet` logs only errors, for commands that print what they do. Nobody reads the metrics of a command. */
  runtime(quiet: boolean): Promise<Runtime>;
  /** Sets the exit status of the process; 0 if it is never called. */
  exit(status: number): void;
}
