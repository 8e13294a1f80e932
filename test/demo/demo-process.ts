import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ThingToTry } from '../../src/demo/things-to-try.js';

const MAIN = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));
const FREE_PORTS = ['--port', '0', '--consul-port', '0', '--idp-port', '0'];

export interface DemoProcess {
  /** What it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves once what stdout holds satisfies `isSo`; rejects if the process ends before. */
  until(isSo: (stdout: string) => boolean): Promise<void>;
  /** Sends the signal and resolves with the exit status and how long it took. */
  stop(signal: NodeJS.Signals): Promise<{ readonly status: number | null; readonly tookMs: number }>;
}

/** `scopemesh demo` on free ports, as a process of its own; with the embedded Consul by default. */
export function startDemo(
  args: readonly string[],
  how: {
    readonly nodeArgs?: readonly string[];
    /** The sources by default; what was built starts with half the work. */
    readonly program?: readonly string[];
    readonly isEmbedded?: boolean;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): DemoProcess {
  const { nodeArgs = [], program = ['--import', 'tsx', MAIN], isEmbedded = true, environment = {} } = how;
  const consul = isEmbedded ? ['--embedded'] : [];
  const child = spawn(
    process.execPath,
    [...nodeArgs, ...program, 'demo', ...consul, ...FREE_PORTS, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: '', LC_CTYPE: '', ...environment },
    },
  );
  const written = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      for (const listener of [...listeners]) listener();
    });
  const exited = once(child, 'exit');
  return {
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    until: (isSo) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!isSo(written.stdout)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        void exited.then(() => reject(new Error(`the demo ended: ${written.stderr}`)));
        look();
      }),
    async stop(signal) {
      const from = performance.now();
      child.kill(signal);
      await exited;
      return { status: child.exitCode, tookMs: performance.now() - from };
    },
  };
}

/** The numbered lines of the screen, each with its command put together again. */
export function parseThings(screen: string): readonly { readonly what: string; readonly command: string }[] {
  const part = screen.slice(screen.indexOf('Try in another terminal'), screen.indexOf('\nDecisions'));
  return part.split(/^ {2}(?=[ \d]\d )/m).flatMap((block) => {
    const [what, ...command] = block.trimEnd().split('\n');
    if (what === undefined || command.length === 0 || !/^[ \d]\d /.test(what)) return [];
    return [
      {
        what: what.slice(3),
        command: command
          .join('\n')
          .replaceAll(/ *\\\n */g, ' ')
          .trim(),
      },
    ];
  });
}

/** Does what curl would do with the line, so that the test needs no curl. Throws at an option it does not know. */
export async function runCurl(line: ThingToTry['what']): Promise<{ status: number; body: string }> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? '');
  if (words.shift() !== 'curl') throw new Error(`not a curl line: ${line}`);
  const headers: Record<string, string> = {};
  let [method, url, data]: (string | undefined)[] = [];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-i') continue;
    if (word === '-X') method = words.shift();
    else if (word === '-d') data = words.shift();
    else if (word === '-H') {
      const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(words.shift() ?? '') ?? [];
      headers[name] = value;
    } else if (word.startsWith('-') || url !== undefined) throw new Error(`unknown word ${word} in ${line}`);
    else url = word;
  }
  const response = await fetch(url ?? '', {
    method: method ?? (data === undefined ? 'GET' : 'POST'),
    headers,
    ...(data === undefined ? {} : { body: data }),
    signal: AbortSignal.timeout(5_000),
  });
  return { status: response.status, body: await response.text() };
}
