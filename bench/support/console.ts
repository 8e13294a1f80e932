import { setMaxListeners } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { readEvents } from '../../src/console/page/read-events.js';
import type { Daemon } from './product.js';
import type { Scene } from './scene.js';

const WATCH = new URL('watch-loop.mjs', import.meta.url).href;
const BUILT = fileURLToPath(new URL('../../dist/console/', import.meta.url));
/** As a page asks again: `src/console/page/use-answer.ts`. */
const [LEAST_MS, REST, MAX_REST_MS] = [1_000, 3, 1_000];

/** Bearer tokens of `http.tokens`. Two, because one principal has eight streams at most. */
export const TOKENS = ['first', 'second'].map((name) => ({
  name,
  token: `bench-${name}-0123456789abcdef0123456789abcdef`,
}));
const headersOf = (at: number) => ({
  authorization: `Bearer ${TOKENS[at % TOKENS.length]?.token}`,
  'accept-encoding': 'gzip',
});

/** A daemon that can be asked for the longest run of its event loop. */
export async function startWatched(scene: Scene) {
  const socketPath = join(scene.directory, 'loop.sock');
  const daemon = await scene.startDaemon([
    'env',
    `NODE_OPTIONS=--import=${WATCH}`,
    `BENCH_LOOP_SOCKET=${socketPath}`,
  ]);
  const dispatcher = new Agent({ connect: { socketPath } });
  const longestRun = async () => Number(await (await request('http://daemon', { dispatcher })).body.text());
  return { daemon, longestRun };
}

/** Bytes of the answer as it was sent, compressed. */
export async function ask(daemon: Daemon, path: string): Promise<number> {
  const answer = await request(daemon.address + path, { headers: headersOf(0) });
  const bytes = (await answer.body.arrayBuffer()).byteLength;
  if (answer.statusCode !== 200) throw new Error(`GET ${path} was answered ${answer.statusCode}`);
  return bytes;
}

/** What ten open pages show: each follows the stream, and reads one of these again after a change. */
const SHOWN = ['/api/map', '/api/decisions?limit=100', '/api/services?limit=100', '/api/holds?limit=100', ''];

/** Opens consoles as pages do, without the drawing, which costs the reader's machine. Returns what closes them. */
export async function openConsoles(daemon: Daemon, count: number): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const { signal } = stop;
  setMaxListeners(0, signal);
  const consoles = Array.from({ length: count }, async (_, at) => {
    const headers = headersOf(at);
    const { statusCode, body } = await request(`${daemon.address}/api/stream`, { headers, signal });
    if (statusCode !== 200) throw new Error(`a stream was answered ${statusCode}`);
    // Not awaited here: a console runs until it is closed.
    return [follow(daemon, body, SHOWN[at % SHOWN.length] ?? '', headers, signal)];
  });
  const running = (await Promise.all(consoles)).flat();
  return async () => {
    stop.abort();
    await Promise.all(running);
  };
}

async function follow(
  daemon: Daemon,
  body: AsyncIterable<Uint8Array>,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  let isChanged = path !== '';
  const listen = async () => {
    for await (const { kind } of readEvents(body)) isChanged ||= kind === 'decisions' && path !== '';
  };
  const read = async () => {
    for (;;) {
      await delay(isChanged ? 0 : 50, undefined, { signal });
      if (!isChanged) continue;
      isChanged = false;
      const begun = performance.now();
      const answer = await request(daemon.address + path, { headers, signal });
      await answer.body.arrayBuffer();
      const took = performance.now() - begun;
      await delay(Math.max(LEAST_MS - took, Math.min(MAX_REST_MS, REST * took)), undefined, { signal });
    }
  };
  await Promise.all([listen(), read()]).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** Kilobytes of the built files with gzip: all of them, and those that the first view needs. */
export async function sizesOfPage(): Promise<{ readonly all: number; readonly first: number }> {
  const index = await readFile(join(BUILT, 'index.html'), 'utf8');
  let [all, first] = [0, 0];
  for (const name of await readdir(BUILT)) {
    const size = gzipSync(await readFile(join(BUILT, name))).byteLength / 1_000;
    all += size;
    if (name === 'index.html' || index.includes(name)) first += size;
  }
  return { all, first };
}

/** The address that signs a browser in, as `scopemesh console` prints it. */
export async function addressOf(scene: Scene): Promise<string> {
  const { outFile } = await scene.command('console', '--json');
  return z.object({ url: z.string() }).parse(JSON.parse(await readFile(outFile, 'utf8'))).url;
}
