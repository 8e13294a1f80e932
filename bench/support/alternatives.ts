// What people use instead of scopemesh, on the same Consul.
import { execFile } from 'node:child_process';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BenchConsul, startBenchConsul } from './consul.js';
import { intentionBodies } from './raw-writes.js';
import { Skipped } from './row.js';
import type { World } from './world.js';
import { startWriteClock } from './write-clock.js';

const run = promisify(execFile);

/** The most entries that a slow loop writes: its rate does not depend on how many follow. */
const MAX_BY_COMMAND = 60;
const MAX_BY_CURL = 300;
const ROLES_BY_ANSIBLE = 30;

async function writesPerSecond(
  world: World,
  most: number,
  write: (consul: BenchConsul, bodies: readonly string[]) => Promise<unknown>,
): Promise<number> {
  const consul = await startBenchConsul();
  try {
    await consul.register(world);
    const clock = await startWriteClock(consul);
    await write(consul, intentionBodies(world).slice(0, most));
    return (await clock.stop()).perSecond;
  } finally {
    await consul.stop();
  }
}

/** One shell loop over a file for each entry; `$file` is the file. */
async function shellLoop(consul: BenchConsul, bodies: readonly string[], command: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'scopemesh-bench-'));
  try {
    for (const [at, body] of bodies.entries())
      await writeFile(join(directory, `${String(at).padStart(6, '0')}.json`), body);
    const { handle } = consul;
    const env = {
      ...process.env,
      CONSUL: handle.binary,
      CONSUL_HTTP_ADDR: handle.httpAddress,
      CONSUL_HTTP_TOKEN: handle.managementToken,
    };
    const script = `set -e; for file in *.json; do ${command} >/dev/null; done`;
    await run('bash', ['-c', script], { cwd: directory, env, timeout: 600_000 });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export const byConsulConfigWrite = (world: World): Promise<number> =>
  writesPerSecond(world, MAX_BY_COMMAND, (consul, bodies) =>
    shellLoop(consul, bodies, '"$CONSUL" config write "$file"'),
  );

export const byCurl = (world: World): Promise<number> =>
  writesPerSecond(world, MAX_BY_CURL, (consul, bodies) =>
    shellLoop(
      consul,
      bodies,
      'curl -sSf -X PUT -H "X-Consul-Token: $CONSUL_HTTP_TOKEN" --data-binary @"$file" "$CONSUL_HTTP_ADDR/v1/config"',
    ),
  );

/** A script that reads every service and every entry, then writes one entry after the other over one connection. */
export const bySequentialScript = (world: World): Promise<number> =>
  writesPerSecond(world, world.services.length, async (consul, bodies) => {
    const { text } = await consul.send('GET', '/v1/catalog/services');
    for (const name of Object.keys(JSON.parse(text))) await consul.send('GET', `/v1/catalog/service/${name}`);
    await consul.entries();
    for (const body of bodies) await consul.send('PUT', '/v1/config', body);
  });

const ANSIBLE_DIRECTORY = join(
  process.env.SCOPEMESH_STACK_CACHE ?? join(homedir(), '.cache', 'scopemesh-stack'),
  'ansible',
);

/** Installs Ansible from PyPI into a virtual environment outside the repository; the path of its programs. */
async function installedAnsible(): Promise<string> {
  const programs = join(ANSIBLE_DIRECTORY, 'bin');
  const isThere = await access(join(programs, 'ansible-playbook')).then(
    () => true,
    () => false,
  );
  if (isThere) return programs;
  try {
    await run('python3', ['-m', 'venv', ANSIBLE_DIRECTORY], { timeout: 120_000 });
    const args = ['install', '--quiet', '--disable-pip-version-check', 'ansible', 'requests'];
    await run(join(programs, 'pip'), args, { timeout: 900_000 });
    return programs;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Skipped(`Ansible cannot be installed from PyPI here: ${message.slice(0, 300)}`);
  }
}

/** Roles a second by a playbook that loops over `community.general.consul_role`, its start included. */
export async function byAnsibleRoles(): Promise<number> {
  const programs = await installedAnsible();
  const consul = await startBenchConsul();
  const directory = await mkdtemp(join(tmpdir(), 'scopemesh-bench-'));
  try {
    const policy = { Name: 'bench', Rules: 'key_prefix "bench/" { policy = "read" }' };
    await consul.send('PUT', '/v1/acl/policy', JSON.stringify(policy));
    const task = {
      name: 'roles',
      'community.general.consul_role': {
        host: '127.0.0.1',
        port: consul.handle.httpPort,
        scheme: 'http',
        token: consul.handle.managementToken,
        name: 'role-{{ item }}',
        policies: [{ name: 'bench' }],
        state: 'present',
      },
      loop: Array.from({ length: ROLES_BY_ANSIBLE }, (_, index) => index),
    };
    const playbook = join(directory, 'roles.json');
    await writeFile(
      playbook,
      JSON.stringify([{ hosts: 'localhost', connection: 'local', gather_facts: false, tasks: [task] }]),
    );
    const env = {
      ...process.env,
      PATH: `${programs}:${process.env.PATH}`,
      ANSIBLE_LOCALHOST_WARNING: 'False',
    };
    const begun = performance.now();
    await run(join(programs, 'ansible-playbook'), ['-i', 'localhost,', playbook], {
      env: { ...env, ANSIBLE_PYTHON_INTERPRETER: join(programs, 'python') },
      timeout: 300_000,
    });
    const seconds = (performance.now() - begun) / 1000;
    const { text } = await consul.send('GET', '/v1/acl/roles');
    const roles: unknown = JSON.parse(text);
    const count = Array.isArray(roles) ? roles.length : 0;
    if (count !== ROLES_BY_ANSIBLE) throw new Error(`Ansible made ${count} roles of ${ROLES_BY_ANSIBLE}`);
    return count / seconds;
  } finally {
    await Promise.all([consul.stop(), rm(directory, { recursive: true, force: true })]);
  }
}
