import type { ServerName } from '../../test/stack/installed.js';

/** One measurement of one contestant: figures by ID. A figure that does not apply to it is left out. */
export type Sample = Readonly<Record<string, number>>;

/** What a figure must reach. The value is the figure itself, or its ratio to another contestant. */
export interface Target {
  /** A contestant; undefined: the figure itself is judged. */
  readonly against?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Figure {
  readonly id: string;
  readonly label: string;
  /** Printed after the number: `s`, `ms`, `/s`, `MB`, or nothing for a count. */
  readonly unit: string;
  readonly targets?: readonly Target[];
}

/** The contestants of a row: `scopemesh` is judged, `limit` is the raw work, others are what people use instead. */
export interface Session {
  readonly contestants: ReadonlyMap<string, () => Promise<Sample>>;
  /** Ends what every measurement shared. */
  close(): Promise<void>;
}

export interface Row {
  readonly name: string;
  /** One line for `--list`, at full scale. */
  readonly title: string;
  /** What `limit` is here. */
  readonly limit?: string;
  readonly needs: readonly ServerName[];
  readonly figures: readonly Figure[];
  open(bench: Bench): Promise<Session>;
}

/** What a row gets from the command line. */
export interface Bench {
  readonly scale: number;
  /** Callers of each destination in the first syncs. */
  readonly sources: number;
  /** A size at the scale of this run, at least `least`. */
  scaled(size: number, least?: number): number;
  progress(message: string): void;
}

/** A contestant that cannot run on this machine; the row goes on without it. */
export class Skipped extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Skipped';
  }
}

export const OURS = 'scopemesh';
export const LIMIT = 'limit';
