import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  createRunDirectory,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until,
} from '../stack/process.js';

/** What the tests look at of `/statusz`. */
const STATUS = z.object({
  leader: z.boolean(),
  directories: z.array(z.object({ ageSeconds: z.number().nullable(), clients: z.number() })),
  sweepAgeSeconds: z.number().nullable(),
  queue: z.object({ waiting: z.number(), delayed: z.number(), active: z.number() }),
  parked: z.array(z.object({ key: z.string(), error: z.string() })),
  holds: z.array(z.object({ key: z.string(), subject: z.string(), reason: z.string() })),
  holdCounts: z.record(z.string(), z.number()),
  outboxDecisions: z.number(),
});
export type DaemonStatus = z.infer<typeof STATUS>;

/** The real daemon as a child process, with the configuration file of a test. */
export interface Scopemesh {
  /** `http://HOST:PORT` of its HTTP interface. */
  readonly address: string;
  readonly configFile: string;
  readonly stateDirectory: string;
  /** Of the process that runs now, or ran last. */
  readonly process: ServerProcess;
  start(): Promise<void>;
  /** Resolves once it has read every directory and compared everything with Consul. */
  ready(timeoutMs?: number): Promise<void>;
  status(): Promise<DaemonStatus>;
  /** The token of the API for commands on this machine. */
  apiToken(): Promise<string>;
  /** Resolves once no key waits, runs or waits for another try, and every decision is published. */
  idle(timeoutMs?: number): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** One signal to the daemon itself. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves with the exit status, or the signal's name. */
  stop(): Promise<number | string>;
  /** Everything it has logged, over all its starts. */
  log(): Promise<string>;
  /** Stops it and removes its folder. Repeating is safe. */
  dispose(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** The program as it is installed; `npm run build` makes it. */
export const BUILT = join(root, 'dist/workers/main.js');

/** Starts the daemon; `configuration` is the text of its file. */
export async function startScopemesh(options: {
  readonly listen: string;
  readonly configuration: (state: { directory: string }) => string;
  readonly logLevel?: string;
  /** Arguments of Node, before the program. */
  readonly nodeArguments?: readonly string[];
  /** A built program; `BUILT`, which starts four times as fast as the sources do. */
  readonly program?: string;
}): Promise<Scopemesh> {
  const directory = await createRunDirectory('daemon');
  const file = join(directory, 'scopemesh.yaml');
  const logFile = join(directory, 'scopemesh.log');
  const address = `http://${options.listen}`;
  await writeFile(file, options.configuration({ directory: join(directory, 'state') }), { mode: 0o600 });
  const program = [...(options.nodeArguments ?? []), options.program ?? BUILT];
  const begin = () =>
    startProcess({
      name: 'scopemesh',
      command: process.execPath,
      args: [...program, '-c', file, '--log-level', options.logLevel ?? 'info', 'run'],
      cwd: root,
      logFile,
    });
  let current = await begin();
  const status = async () => {
    const answer = await fetch(`${address}/statusz`, { signal: AbortSignal.timeout(10_000) });
    return STATUS.parse(await answer.json());
  };
  return {
    address,
    configFile: file,
    stateDirectory: join(directory, 'state'),
    get process() {
      return current;
    },
    async start() {
      if (current.isRunning()) throw new Error('the daemon runs already');
      current = await begin();
    },
    async ready(timeoutMs = 60_000) {
      const isReady = async () => {
        const { directories, sweepAgeSeconds } = await status();
        return sweepAgeSeconds !== null && directories.every(({ ageSeconds }) => ageSeconds !== null);
      };
      await until('the daemon is ready', isReady, { timeoutMs, process: current });
    },
    status,
    async apiToken() {
      const port = new URL(address).port;
      return (await readFile(join(directory, 'state', `api-token-${port}`), 'utf8')).trimEnd();
    },
    async idle(timeoutMs = 60_000) {
      let last: DaemonStatus | undefined;
      const isIdle = async () => {
        last = await status();
        const { leader, sweepAgeSeconds, queue, outboxDecisions } = last;
        // A leader first writes what events ask for, and only then compares everything.
        const isCompared = !leader || sweepAgeSeconds !== null;
        return isCompared && queue.waiting + queue.delayed + queue.active + outboxDecisions === 0;
      };
      await until('the daemon is idle', isIdle, { timeoutMs, process: current }).catch((error: unknown) => {
        throw new Error(`the daemon is not idle: ${JSON.stringify(last)}`, { cause: error });
      });
    },
    kill: () => current.kill(),
    signal(name) {
      process.kill(current.pid, name);
    },
    async stop() {
      process.kill(current.pid, 'SIGTERM');
      return current.exited;
    },
    log: () => readFile(logFile, 'utf8'),
    async dispose() {
      await current.stop();
      await removeRunDirectory(directory);
    },
  };
}
