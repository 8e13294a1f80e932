import { createConnection } from 'node:net';
import { join } from 'node:path';
import { installed } from './installed.js';
import { freePort } from './ports.js';
import {
  createRunDirectory,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until,
} from './process.js';

export interface RedisOptions {
  /** True: what an accepted write needs to survive a crash. False is for tests of its refusal. */
  appendOnly?: boolean;
  /** `everysec`. */
  appendFsync?: 'always' | 'everysec' | 'no';
  /** `noeviction`; anything else is for tests of its refusal. */
  maxMemoryPolicy?: string;
  port?: number;
  args?: string[];
  signal?: AbortSignal;
}

export interface RedisHandle {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  readonly process: ServerProcess;
  /** Stops it and removes its folder. Repeating is safe. */
  stop(): Promise<void>;
  /** SIGKILL; `restart` brings it back with what its append-only file holds. */
  kill(): Promise<void>;
  /** Stops it if it runs, and starts it on the same port and folder. */
  restart(): Promise<void>;
}

/** Starts a Redis of its own; resolves once it answers PONG. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisHandle> {
  const binary = await installed('redis');
  const port = options.port ?? (await freePort());
  const directory = await createRunDirectory('redis');
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', ''];
  args.push('--appendonly', (options.appendOnly ?? true) ? 'yes' : 'no');
  args.push('--appendfsync', options.appendFsync ?? 'everysec');
  args.push('--maxmemory-policy', options.maxMemoryPolicy ?? 'noeviction', ...(options.args ?? []));

  const start = async () => {
    const started = await startProcess({
      name: 'redis',
      command: binary,
      args,
      logFile: join(directory, 'redis.log'),
    });
    await until('Redis answers', () => pong(port), {
      process: started,
      ...(options.signal ? { signal: options.signal } : {}),
    }).catch(async (error: unknown) => {
      await started.kill();
      throw error;
    });
    return started;
  };
  let current = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
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

// While the append-only file loads Redis answers -LOADING to a PING.
function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () => socket.write('PING\r\n'));
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('data', (chunk) => settle(chunk.toString('latin1').startsWith('+PONG')));
  });
}
