import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from './ports.js';
import {
  createRunDirectory,
  endOfLog,
  isAlive,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until,
} from './process.js';

let directory = '';
let logs = 0;

beforeAll(async () => {
  directory = await createRunDirectory('process-test');
});
afterAll(() => removeRunDirectory(directory));

function startShell(script: string): Promise<ServerProcess> {
  const logFile = join(directory, `${logs++}.log`);
  return startProcess({ name: 'shell', command: '/bin/sh', args: ['-c', script], logFile });
}

describe('a process of the stack', () => {
  it('that exits ends the wait for it, with the end of its log', async () => {
    const shell = await startShell('echo no such disk >&2; exit 3');
    const waiting = until('the disk spins', () => false, { process: shell });
    await expect(waiting).rejects.toThrow(/the disk spins: its process exited\nno such disk/);
    expect(await shell.exited).toBe(3);
  });

  it('is killed with its children when it does not heed SIGTERM', async () => {
    const shell = await startShell('trap "" TERM; sleep 600 & echo $!; wait');
    const child = await until(
      'the child runs',
      async () => Number(await endOfLog(shell.logFile)) || undefined,
    );
    await shell.stop(50);
    expect(shell.isRunning()).toBe(false);
    await until('the child is gone', async () => !(await isAlive(child)));
    expect(await shell.exited).toBe('SIGKILL');
  });

  it('cannot be started from a command that does not exist', async () => {
    const logFile = join(directory, 'none.log');
    await expect(
      startProcess({ name: 'none', command: join(directory, 'none'), args: [], logFile }),
    ).rejects.toThrow(/ENOENT/);
  });

  it('dies with the process that started it, even when that one is killed', async () => {
    const module = new URL('./process.ts', import.meta.url).href;
    const script = `
      const { startProcess } = await import(${JSON.stringify(module)});
      const options = { name: 'sleep', command: 'sleep', args: ['600'], logFile: ${JSON.stringify(join(directory, 'orphan.log'))} };
      const { pid } = await startProcess(options);
      process.stdout.write(String(pid), () => process.kill(process.pid, 'SIGKILL'));`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const ended = await promisify(execFile)(process.execPath, args, { timeout: 15_000 }).catch(
      (error) => error,
    );
    expect(ended).toMatchObject({ signal: 'SIGKILL', stdout: expect.stringMatching(/^\d+$/) });
    await until('the orphan is gone', async () => !(await isAlive(Number(ended.stdout))));
  });
});

describe('waiting', () => {
  it('gives what the condition gave, after errors and falsehoods', async () => {
    const answers = [() => false, () => Promise.reject(new Error('not yet')), () => 'ready'] as const;
    let asked = 0;
    const condition = async () => answers[asked++]?.() as string | false;
    expect(await until('the answer', condition, { intervalMs: 1 })).toBe('ready');
    expect(asked).toBe(3);
  });

  it('reports the last error when the time is up', async () => {
    const waiting = until('never', () => Promise.reject(new Error('refused')), {
      timeoutMs: 5,
      intervalMs: 1,
    });
    await expect(waiting).rejects.toMatchObject({
      message: 'never: not within 5 ms',
      cause: { message: 'refused' },
    });
  });

  it('ends when it is aborted', async () => {
    const stopped = new AbortController();
    const waiting = until('never', () => false, { signal: stopped.signal });
    stopped.abort();
    await expect(waiting).rejects.toThrow(/abort/);
  });
});

describe('ports', () => {
  it('are free, and are given once', async () => {
    const ports = [...(await freePorts(20)), ...(await freePorts(20))];
    expect(new Set(ports).size).toBe(40);
    const server = createServer().listen({ host: '127.0.0.1', port: ports[0] });
    await once(server, 'listening');
    server.close();
  });
});
