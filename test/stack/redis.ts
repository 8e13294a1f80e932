import { createConnection } from 'node:net';
import { installed } from './installed.js';
import { freePort } from './ports.js';
import { createRunDirectory, type ServerHandle, startServer } from './process.js';

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

export interface RedisHandle extends ServerHandle {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
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

  const server = { name: 'redis', command: binary, args };
  const { signal } = options;
  const started = await startServer(directory, server, () => pong(port), { ...(signal ? { signal } : {}) });
  return Object.assign(started, { url: `redis://127.0.0.1:${port}`, port });
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
