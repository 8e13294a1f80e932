import type { Config } from '../config/config.js';
import type { PrometheusMetrics } from './metrics.js';
import type { Screen } from './terminal/screen.js';
import type { Ambience } from './wire.js';

/** A stream to print to; `isTTY` says whether a person sees it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What the process hands in; the program itself touches neither signals nor `process`. */
export interface Surroundings {
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onReload: (listener: () => void) => void;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Who runs the command, for decisions. */
  readonly user: string;
}

/** What every command works with. */
export interface Cli {
  readonly around: Surroundings;
  readonly signal: AbortSignal;
  readonly screen: Screen;
  /** Reads the configuration file; throws ConfigError with every fault. */
  openConfig(): Promise<Config>;
  /** `quiet` leaves the log to errors, for commands that print what they do themselves. */
  ambience(quiet: boolean): Ambience & { readonly metrics: PrometheusMetrics };
  /** Sets the exit status of the process; 0 if it is never called. */
  exit(status: number): void;
}
