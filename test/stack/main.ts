// The real servers for a person: `npx tsx test/stack/main.ts up` starts them all, prints where they are and
// writes a scopemesh.yaml for them; ctrl-c, or `down` from elsewhere, stops them.
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { installed } from './installed.js';
import { KEYCLOAK_ADMIN } from './keycloak.js';
import { until } from './process.js';
import { startStack } from './stack.js';

const USAGE = 'usage: main.ts up [--intake HOST:PORT] | down | status';
const folder = join(
  process.env.SCOPEMESH_STACK_CACHE ?? join(homedir(), '.cache', 'scopemesh-stack'),
  'running',
);
const addressFile = join(folder, 'addresses.txt');
const pidFile = join(folder, 'pid');

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { intake: { type: 'string', default: '127.0.0.1:8080' } },
});
const commands: Record<string, () => Promise<number>> = { up, down, status };
const command = commands[positionals[0] ?? ''];
if (command === undefined) {
  console.error(USAGE);
  process.exitCode = 1;
} else {
  process.exitCode = await command();
}

async function up(): Promise<number> {
  const other = await runningPid();
  if (other !== undefined) {
    console.error(`a stack is running already, as process ${other}; stop it with: main.ts down`);
    return 1;
  }
  for (const name of ['redis', 'kcat', 'consul', 'envoy', 'kafka', 'keycloak'] as const)
    await installed(name);
  await mkdir(folder, { recursive: true });
  await writeFile(pidFile, String(process.pid));
  const stopped = new AbortController();
  const onSignal = () => {
    if (stopped.signal.aborted) process.exit(1); // the second one; what is left dies with this process
    console.error('stopping');
    stopped.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const stack = await startStack({
      intake: values.intake,
      signal: stopped.signal,
      onReady: (name, elapsedMs) => console.error(`${name} is up after ${(elapsedMs / 1000).toFixed(1)} s`),
    });
    try {
      const configFile = join(folder, 'scopemesh.yaml');
      const configuration = stack.configuration({ directory: join(folder, 'state') });
      await writeFile(configFile, configuration, { mode: 0o600 });
      const addresses = [
        `consul    ${stack.consul.httpAddress}/ui   management token ${stack.consul.managementToken}`,
        `redis     ${stack.redis.url}`,
        `kafka     ${stack.kafka.broker}   topic ${stack.topic}`,
        `keycloak  ${stack.keycloak.address}/admin   ${KEYCLOAK_ADMIN.username} / ${KEYCLOAK_ADMIN.password}   realm ${stack.realm}`,
        `mesh      curl ${stack.mesh.upstreamAddress('web', 'orders')}/   is web calling orders`,
        `webhooks  go to http://${values.intake}/events/main`,
        `decisions kcat -C -b ${stack.kafka.broker} -t ${stack.topic} -o beginning`,
        `config    ${configFile}`,
      ];
      await writeFile(addressFile, `${addresses.join('\n')}\n`, { mode: 0o600 });
      console.log(`${addresses.join('\n')}\n\n# ${configFile}\n${configuration}`);
      console.error('ctrl-c stops it');
      if (!stopped.signal.aborted) {
        await new Promise((resolve) => {
          const alive = setInterval(() => {}, 60_000);
          stopped.signal.addEventListener('abort', () => resolve(clearInterval(alive)), { once: true });
        });
      }
    } finally {
      await stack.stop();
    }
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return 0;
}

async function down(): Promise<number> {
  const pid = await runningPid();
  if (pid === undefined) {
    console.error('no stack is running');
    return 0;
  }
  process.kill(pid, 'SIGTERM');
  await until('the stack stops', async () => (await runningPid()) === undefined, { timeoutMs: 60_000 });
  return 0;
}

async function status(): Promise<number> {
  const pid = await runningPid();
  if (pid === undefined) {
    console.log('no stack is running');
    return 3;
  }
  const addresses = await readFile(addressFile, 'utf8').catch(() => 'still starting\n');
  console.log(`process   ${pid}\n${addresses.trimEnd()}`);
  return 0;
}

// A crash leaves the file behind and its number may belong to another program by now.
async function runningPid(): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const asked = promisify(execFile)('ps', ['-p', String(pid), '-o', 'args='], { timeout: 5000 });
  const { stdout } = await asked.catch(() => ({ stdout: '' }));
  return stdout.includes('stack/main') ? pid : undefined;
}
