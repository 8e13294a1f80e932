import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A real server as a child of this process, the leader of its own process group. */
export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves with the exit code or the signal's name once the process is gone. */
  readonly exited: Promise<number | string>;
  isRunning(): boolean;
  /** SIGTERM, then SIGKILL to the whole group after `graceMs` (10 s); resolves once it is gone. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL to the whole group, as a crash would; resolves once it is gone. */
  kill(): Promise<void>;
}

export interface ProcessOptions {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  cwd?: string;
}

export interface UntilOptions {
  /** 30 s. */
  timeoutMs?: number;
  /** 50 ms. */
  intervalMs?: number;
  signal?: AbortSignal;
  /** If this one exits the wait is over at once, and the error carries the end of its log. */
  process?: ServerProcess;
}

/** Starts a server with stdout and stderr appended to `logFile`. It cannot outlive this process. */
export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  const log = openSync(options.logFile, 'a');
  let child: ChildProcess;
  try {
    child = spawn(options.command, options.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } finally {
    closeSync(log);
  }
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  if (child.pid === undefined) await once(child, 'spawn');
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.name} did not start: ${options.command}`);
  reaper().add(pid);

  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = async () => {
    signalGroup(pid, 'SIGKILL');
    await exited;
    reaper().remove(pid);
  };
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    isRunning,
    kill,
    async stop(graceMs = 10_000) {
      if (isRunning()) {
        child.kill('SIGTERM');
        const cancel = new AbortController();
        await Promise.race([exited, delay(graceMs, undefined, { signal: cancel.signal }).catch(() => {})]);
        cancel.abort();
      }
      await kill(); // also what the leader left behind in its group
    },
  };
}

/**
 * Waits until `condition` gives something other than undefined or false, and returns it. A condition that
 * throws counts as not yet; the last error is reported when the time is up.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    const dead = options.process !== undefined && !options.process.isRunning();
    if (dead || performance.now() > deadline) {
      const why = dead ? 'its process exited' : `not within ${timeoutMs} ms`;
      const log = options.process === undefined ? '' : `\n${await endOfLog(options.process.logFile)}`;
      throw new Error(`${what}: ${why}${log}`, last === undefined ? {} : { cause: last });
    }
    await delay(options.intervalMs ?? 50, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** A real server that a test can kill and start again. */
export interface ServerHandle {
  readonly directory: string;
  readonly process: ServerProcess;
  /** Stops it and removes its folder. Repeating is safe. */
  stop(): Promise<void>;
  /** SIGKILL; `restart` brings it back with its data. */
  kill(): Promise<void>;
  /** Stops it if it runs, and starts it on the same ports and data; resolves once it is ready again. */
  restart(): Promise<void>;
}

/** Starts a server of a run directory; resolves once it is `ready`, at each start. */
export async function startServer(
  directory: string,
  options: Omit<ProcessOptions, 'logFile'>,
  ready: () => Promise<boolean>,
  wait: Omit<UntilOptions, 'process'>,
): Promise<ServerHandle> {
  const start = async () => {
    const started = await startProcess({ ...options, logFile: join(directory, `${options.name}.log`) });
    await until(`${options.name} is ready`, ready, { ...wait, process: started }).catch(
      async (error: unknown) => {
        await started.kill();
        throw error;
      },
    );
    return started;
  };
  let current = await start();
  return {
    directory,
    get process() {
      return current;
    },
    async stop() {
      await current.stop();
      await removeRunDirectory(directory);
    },
    kill: () => current.kill(),
    async restart() {
      await current.stop();
      current = await start();
    },
  };
}

/** A folder of its own for one server's state and log, under the system's temporary folder. */
export function createRunDirectory(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `scopemesh-${name}-`));
}

export async function removeRunDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** The last 4 KiB of a log file; empty when there is none. */
export async function endOfLog(logFile: string): Promise<string> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 4096);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}

/** Whether a process with this id runs; one that ended and that its parent has not asked about does not. */
export async function isAlive(pid: number): Promise<boolean> {
  const asked = promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)], { timeout: 5000 });
  const { stdout } = await asked.catch(() => ({ stdout: '' }));
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

interface Reaper {
  add(pid: number): void;
  remove(pid: number): void;
}

// A process that is killed runs no exit handler. So a small shell holds the group ids and reads from a pipe
// that only this process writes to: when the pipe closes, however this process ended, it kills what is left.
const REAPER_SCRIPT = `
pids=' '
while read -r op pid; do
  case "$op" in
    +) pids="$pids$pid " ;;
    -) rest=' '; for known in $pids; do [ "$known" = "$pid" ] || rest="$rest$known "; done; pids="$rest" ;;
  esac
done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done
`;

let running: Reaper | undefined;

function reaper(): Reaper {
  if (running !== undefined) return running;
  const child = spawn('/bin/sh', ['-c', REAPER_SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.unref();
  const { stdin } = child;
  // A pipe keeps the event loop alive unless it is unreferenced as well.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  stdin.on('error', () => {});
  running = {
    add: (pid) => void stdin.write(`+ ${pid}\n`),
    remove: (pid) => void stdin.write(`- ${pid}\n`),
  };
  return running;
}
