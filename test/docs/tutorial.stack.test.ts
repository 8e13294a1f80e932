import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pack } from '../../deploy/release/package.js';
import { installed } from '../stack/installed.js';
import { freePorts } from '../stack/ports.js';
import { endOfLog, startProcess } from '../stack/process.js';
import { ROOT, textOf } from './manual.js';

/** A block of commands, and the lines that the page shows of its output. */
interface Step {
  readonly commands: string;
  readonly shown: readonly string[];
}

const FENCED = /^```(\w+)\n(.*?)^```/gms;

function stepsOf(page: string): readonly Step[] {
  const steps: { commands: string; shown: string[] }[] = [];
  for (const [, language, body = ''] of page.matchAll(FENCED)) {
    if (language === 'sh') steps.push({ commands: body, shown: [] });
    if (language === 'text') steps.at(-1)?.shown.push(...body.split('\n').filter((line) => line !== ''));
  }
  return steps;
}

/** `…` in a line of the page matches anything. */
function toExpression(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'm');
}

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'scopemesh-tutorial-'));
});
afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

/** A folder with the package of a release, and a `consul` that leaves the usual ports alone. */
async function prepare(http: number, others: readonly number[]): Promise<void> {
  await rename(pack(ROOT, directory).file, join(directory, 'scopemesh-1.0.0.tgz'));
  const bin = join(directory, 'bin');
  await mkdir(bin);
  await mkdir(join(directory, 'npm'));
  const [grpc = 0, server = 0, lan = 0, wan = 0] = others;
  const ports = `-http-port=${http} -grpc-port=${grpc} -grpc-tls-port=-1 -dns-port=-1 -server-port=${server} -serf-lan-port=${lan} -serf-wan-port=${wan}`;
  await writeFile(
    join(bin, 'consul'),
    `#!/bin/sh\n[ "$1" != agent ] || set -- "$@" ${ports}\nexec "${await installed('consul')}" "$@"\n`,
  );
  await chmod(join(bin, 'consul'), 0o755);
}

it('the tutorial leads from the package to an enforced mapping, with the output that it shows', async () => {
  const [http = 0, listen = 0, ...others] = await freePorts(6);
  await prepare(http, others);
  const steps = stepsOf(
    textOf('docs/tutorial.md')
      .replaceAll('127.0.0.1:8500', `127.0.0.1:${http}`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${listen}`),
  );
  expect(steps.length).toBeGreaterThan(12);
  expect(steps.flatMap(({ shown }) => shown).length).toBeGreaterThan(20);
  const script = steps.map(({ commands }, at) => `echo '@@ ${at}'\n${commands}`);
  await writeFile(
    join(directory, 'tutorial.sh'),
    ['set -eo pipefail', ...script, "echo '@@ end'"].join('\n'),
  );

  const run = await startProcess({
    name: 'tutorial',
    command: 'bash',
    args: [join(directory, 'tutorial.sh')],
    logFile: join(directory, 'tutorial.log'),
    cwd: directory,
    env: {
      npm_config_prefer_offline: 'true',
      npm_config_prefix: join(directory, 'npm'),
      PATH: [join(directory, 'npm', 'bin'), join(directory, 'bin'), process.env.PATH].join(delimiter),
    },
  });
  const status = await run.exited.finally(() => run.stop());
  expect(status, await endOfLog(run.logFile)).toBe(0);

  const [, ...outputs] = (await readFile(run.logFile, 'utf8')).split(/^@@ \w+\n/m);
  steps.forEach(({ commands, shown }, at) => {
    for (const line of shown) expect(outputs[at], commands).toMatch(toExpression(line));
  });
  // The daemon got SIGTERM, and drained.
  expect(await readFile(join(directory, 'tutorial', 'scopemesh.log'), 'utf8')).toContain('"msg":"stopped"');
}, 240_000);
