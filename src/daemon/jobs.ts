import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { z } from 'zod';
import { type Clock, isoText } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import { makeDirectory } from '../make-directory.js';
import { jsonIn } from '../model/json-in.js';
import { printable } from '../model/printable.js';
import type { Logger } from '../observe.js';
import { safeParse } from '../safe-parse.js';

/** Runs a command of this program as a process of its own, with less priority, and with limits of memory and time. */
export type StartCommand = (args: readonly string[]) => ChildProcess;

/** A report of evidence that somebody asked for. */
export interface Job {
  readonly id: string;
  readonly by: string;
  /** ISO 8601. */
  readonly from: string;
  /** Null: until the command ran, and it has not said when that was. */
  readonly to: string | null;
  readonly startedAt: string;
  readonly state: 'running' | 'done' | 'failed';
  /** Decisions that were verified so far, and of how many. Null: not known. */
  readonly checked: number | null;
  readonly of: number | null;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Whether the log is proven; null before the end. */
  readonly verified: boolean | null;
  readonly error: string | null;
  /** When its files are removed. */
  readonly keptUntil: string | null;
}

const PROGRESS = z.object({ checked: z.number(), of: z.number().nullable() });
const RESULT = z.object({
  files: z.array(z.string().regex(/^[\w.-]+$/)),
  from: z.string(),
  to: z.string(),
  verified: z.boolean(),
});

const KEPT_MS = 3_600_000;
/** Of all files of a job. */
const MAX_BYTES = 200_000_000;
/** Ended ones. */
const MAX_KEPT = 3;
const MAX_OUTPUT = 64_000;
const MAX_ERROR = 500;

interface JobsOptions {
  readonly startCommand: StartCommand;
  /** Of this daemon alone. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs `scopemesh evidence` for the console, one at a time, and keeps the files for an hour. */
export class Jobs {
  readonly #options: JobsOptions;
  /** The newest first. */
  #jobs: readonly Job[] = [];
  readonly #closing = new AbortController();
  #running: { readonly child: ChildProcess; readonly ended: Promise<void> } | undefined;

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** The newest first. */
  list(): readonly Job[] {
    return this.#jobs;
  }

  /** The path of a job's file; undefined if the job has no such file. */
  fileOf(id: string, name: string): string | undefined {
    const isThere = this.#jobs.some((job) => job.id === id && job.files.some((file) => file.name === name));
    return isThere ? join(this.#directoryOf(id), name) : undefined;
  }

  /** `from` and `to`: ISO 8601. Throws ERR_BUSY while another one runs. */
  start({ from, to }: { readonly from: string; readonly to: string | undefined }, by: string): Job {
    if (this.#running !== undefined)
      throw new SyncError('ERR_BUSY', 'another report is being made; wait for its end', { retriable: true });
    const { directory, startCommand, clock } = this.#options;
    // What a crash left.
    if (this.#jobs.length === 0) rmSync(directory, { recursive: true, force: true });
    makeDirectory(directory);
    const id = ulid();
    const period = [`--from=${from}`, ...(to === undefined ? [] : [`--to=${to}`])];
    const child = startCommand(['evidence', ...period, `--out=${this.#directoryOf(id)}`, '--json']);
    const startedAt = isoText(clock.now());
    const none = { checked: null, of: null, files: [], verified: null, error: null, keptUntil: null };
    const job: Job = { id, by, from, to: to ?? null, startedAt, state: 'running', ...none };
    this.#jobs = [job, ...this.#jobs];
    const ended = this.#follow(id, child).finally(() => {
      this.#running = undefined;
    });
    this.#running = { child, ended };
    return job;
  }

  /** Ends what runs, and removes all files. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#running?.child.kill('SIGKILL');
    await this.#running?.ended;
    if (this.#jobs.length > 0) await rm(this.#options.directory, { recursive: true, force: true });
  }

  /** Never rejects. */
  async #follow(id: string, child: ChildProcess): Promise<void> {
    const { clock, logger } = this.#options;
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-MAX_OUTPUT);
      });
    child.on('message', (message) => {
      const progress = safeParse(PROGRESS, message).data;
      if (progress !== undefined) this.#update(id, progress);
    });
    try {
      const [code] = await once(child, 'close');
      const result = code === 0 ? safeParse(RESULT, jsonIn(output.stdout)).data : undefined;
      if (result === undefined) throw new Error(faultOf(code, output.stderr));
      const { from, to, verified } = result;
      this.#update(id, { state: 'done', files: await this.#measured(id, result.files), from, to, verified });
    } catch (error) {
      const text = messageOf(error);
      logger.warn({ job: id, error: text }, 'a report of evidence that a person asked for failed');
      this.#update(id, { state: 'failed', error: text });
      await this.#remove(id);
    }
    this.#update(id, { keptUntil: isoText(clock.now() + KEPT_MS) });
    clock.sleep(KEPT_MS, this.#closing.signal).then(
      () => this.#forget(id),
      () => {},
    );
    for (const { id: old } of this.#jobs.slice(MAX_KEPT)) this.#forget(old);
  }

  async #measured(id: string, names: readonly string[]): Promise<Job['files']> {
    const files = await Promise.all(
      names.map(async (name) => ({ name, bytes: (await stat(join(this.#directoryOf(id), name))).size })),
    );
    if (files.reduce((sum, { bytes }) => sum + bytes, 0) > MAX_BYTES) throw new Error(TOO_LARGE);
    return files;
  }

  #update(id: string, changes: Partial<Job>): void {
    this.#jobs = this.#jobs.map((job) => (job.id === id ? { ...job, ...changes } : job));
  }

  #forget(id: string): void {
    this.#jobs = this.#jobs.filter((job) => job.id !== id);
    void this.#remove(id);
  }

  async #remove(id: string): Promise<void> {
    const { logger } = this.#options;
    await rm(this.#directoryOf(id), { recursive: true, force: true }).catch((error: unknown) =>
      logger.warn({ job: id, error: messageOf(error) }, 'the files of a report cannot be removed'),
    );
  }

  #directoryOf(id: string): string {
    return join(this.#options.directory, id);
  }
}

const TOO_LARGE =
  'the report is too large to be made here; choose a shorter period, or run scopemesh evidence on the command line';

/** Why a command did not succeed. One that somebody killed had no memory left, or no time. */
function faultOf(code: unknown, stderr: string): string {
  if (typeof code !== 'number' || code >= 128 || /heap out of memory/.test(stderr)) return TOO_LARGE;
  const text = printable(stderr.trim()).replace(/^scopemesh: /, '');
  return text === '' ? `the command ended with the status ${code}` : text.slice(-MAX_ERROR);
}
