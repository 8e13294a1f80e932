import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ServerProcess, startProcess, until } from '../../test/stack/process.js';

/** The command line as it is installed. */
export const MAIN = fileURLToPath(new URL('../../dist/workers/main.js', import.meta.url));

const MAX_COMMAND_MS = 1_800_000;

export interface CommandRun {
  readonly status: number;
  readonly seconds: number;
  /** Undefined where the system does not tell. */
  readonly peakMemoryMb: number | undefined;
  /** Where stdout went. */
  readonly outFile: string;
}

/** Runs one command to its end; throws with the end of stderr for a status that `allowed` does not list. */
export async function runCommand(
  directory: string,
  args: readonly string[],
  allowed: readonly number[] = [0],
): Promise<CommandRun> {
  const outFile = join(directory, 'stdout.txt');
  const out = createWriteStream(outFile);
  await once(out, 'open');
  const begun = performance.now();
  const child = spawn(process.execPath, [MAIN, '-c', join(directory, 'scopemesh.json'), ...args], {
    stdio: ['ignore', out, 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
    timeout: MAX_COMMAND_MS,
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000);
  });
  const memory = watchMemory(child);
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? -1));
  });
  const seconds = (performance.now() - begun) / 1000;
  out.end();
  if (!allowed.includes(status))
    throw new Error(`scopemesh ${args.join(' ')} ended with ${status}: ${errors.trim()}`);
  return { status, seconds, peakMemoryMb: memory(), outFile };
}

/** Linux keeps the peak itself, so that only what the last moments add can be missed. */
function watchMemory(child: ChildProcess): () => number | undefined {
  let peak: number | undefined;
  const look = async () => {
    while (child.exitCode === null && child.signalCode === null) {
      const text = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(text) ?? [];
      if (kib !== undefined) peak = Number(kib) / 1024;
      await delay(20);
    }
  };
  void look();
  return () => peak;
}

/** What a row looks at of `/statusz`; all of it may be missing. */
const STATUS = z.looseObject({
  sweepAgeSeconds: z.number().nullish(),
  queue: z.looseObject({ waiting: z.number(), active: z.number() }).nullish(),
  outboxDecisions: z.number().nullish(),
});

export interface Daemon {
  readonly address: string;
  readonly process: ServerProcess;
  /** Resolves once events are accepted and everything was compared once. */
  ready(timeoutMs?: number): Promise<void>;
  /** Resolves once no work waits and every decision is published. */
  idle(timeoutMs?: number): Promise<void>;
  /** Seconds of CPU used so far; undefined where the system does not tell. */
  cpuSeconds(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/** `wrapper`: what the daemon runs under, `strace` and its options. */
export async function startDaemon(
  directory: string,
  listen: string,
  wrapper: readonly string[] = [],
): Promise<Daemon> {
  const [command = '', ...args] = [
    ...wrapper,
    process.execPath,
    // As deploy/scopemesh.service and the Dockerfile start it.
    '--max-semi-space-size=64',
    '--v8-pool-size=1',
    '--always-sparkplug',
    MAIN,
    '-c',
    join(directory, 'scopemesh.json'),
    'run',
  ];
  const child = await startProcess({
    name: 'scopemesh',
    command,
    args,
    logFile: join(directory, 'scopemesh.log'),
  });
  const address = `http://${listen}`;
  const status = async () => STATUS.parse(await (await fetch(`${address}/statusz`)).json());
  const wait = (what: string, condition: () => Promise<boolean>, timeoutMs = 300_000) =>
    until(what, condition, { timeoutMs, intervalMs: 100, process: child });
  return {
    address,
    process: child,
    async ready(timeoutMs) {
      const isReady = async () =>
        (await fetch(`${address}/readyz`)).ok && (await status()).sweepAgeSeconds !== null;
      await wait('the daemon is ready', isReady, timeoutMs);
    },
    async idle(timeoutMs) {
      const isIdle = async () => {
        const { queue, outboxDecisions } = await status();
        return (queue?.waiting ?? 0) + (queue?.active ?? 0) + (outboxDecisions ?? 0) === 0;
      };
      await wait('the daemon is idle', isIdle, timeoutMs);
    },
    async cpuSeconds() {
      const text = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => undefined);
      // After the name in brackets, which may hold spaces: utime and stime are the 12th and 13th, in hundredths.
      const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
      return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / 100;
    },
    stop: () => child.stop(60_000),
  };
}
