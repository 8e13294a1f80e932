import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT, textOf } from '../docs/manual.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { startKafka } from '../stack/kafka.js';
import { readTopic } from '../stack/kcat.js';
import { startKeycloak } from '../stack/keycloak.js';
import { freePorts } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory, startProcess, until } from '../stack/process.js';
import { startRedis } from '../stack/redis.js';

interface Service {
  readonly command: string | readonly string[];
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

/** The compose file as it is read where nothing is set in the environment. */
const { services }: { services: Readonly<Record<string, Service>> } = parse(
  textOf('docker-compose.yml').replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'),
);
const service = (name: string): Service => {
  const found = services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
const run = promisify(execFile);
const stops: (() => Promise<void>)[] = [];
const keep = <T extends { stop(): Promise<unknown> }>(handle: T): T => {
  stops.push(async () => void (await handle.stop()));
  return handle;
};
let directory: string;
let consul: ConsulHandle;

beforeAll(async () => {
  directory = await createRunDirectory('compose');
});
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  await removeRunDirectory(directory);
});

/** What tells the service's health, with the ports of this machine. */
async function expectHealthy(name: string, ports: readonly (readonly [number, number])[]) {
  const [kind, ...words] = service(name).healthcheck.test;
  const command = kind === 'CMD' ? words.join(' ') : String(words[0]);
  const here = ports.reduce(
    (text, [inside, port]) => text.replaceAll(new RegExp(`([:/])${inside}\\b`, 'g'), `$1${port}`),
    command,
  );
  await until(`${name} is healthy`, async () => (await run('bash', ['-c', here])) !== undefined);
}

async function startsConsul() {
  const { environment } = service('consul');
  const config = JSON.parse(environment.CONSUL_LOCAL_CONFIG ?? '');
  const managementToken = config.acl.tokens.initial_management;
  consul = keep(await startConsul({ managementToken, config: { ...config, client_addr: '127.0.0.1' } }));
  await expectHealthy('consul', [[8500, consul.httpPort]]);
  await mkdir(join(directory, 'bin'));
  await symlink(consul.binary, join(directory, 'bin/consul'));
  const env = {
    ...service('consul-setup').environment,
    CONSUL_HTTP_ADDR: consul.httpAddress,
    PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
  };
  for (const _ of ['the first start', 'a second start'])
    expect((await run('/bin/sh', [join(ROOT, 'deploy/compose/consul-setup.sh')], { env })).stdout).toContain(
      'Consul is set up',
    );
}

async function startsRedis() {
  const [, ...args] = String(service('redis').command).split(' ');
  const redis = keep(await startRedis({ args: args.map((arg) => (arg === '""' ? '' : arg)) }));
  const { stdout } = await run('redis-cli', ['-p', String(redis.port), 'ping']);
  expect(stdout.trim()).toBe('PONG');
  return redis.url;
}

/** The image makes a property of each variable. */
async function startsKafka() {
  const [inside = 0, outside = 0, controller = 0] = await freePorts(3);
  const properties = Object.entries(service('kafka').environment).flatMap(([name, value]) => {
    const key = /^KAFKA_(?!HEAP_OPTS|LOG_DIRS)(.*)/.exec(name)?.[1];
    if (key === undefined) return [];
    const here = String(value)
      .replaceAll('//:', '//localhost:')
      .replaceAll('//kafka:', '//localhost:')
      .replaceAll(':9092', `:${inside}`)
      .replaceAll(':9094', `:${outside}`)
      .replaceAll(':9093', `:${controller}`);
    return [[key.toLowerCase().replaceAll('_', '.'), here]];
  });
  keep(
    await startKafka({ port: inside, autoCreateTopics: true, properties: Object.fromEntries(properties) }),
  );
  return `localhost:${inside}`;
}

async function startsKeycloak() {
  const [port = 0] = await freePorts(1);
  const [, ...args] = String(service('keycloak').command).split(' ');
  const address = `http://127.0.0.1:${port}`;
  // A build option, with which the start builds the server again: a minute or two.
  const { KC_HEALTH_ENABLED: _, ...environment } = service('keycloak').environment;
  keep(
    await startKeycloak({
      port,
      args,
      env: { ...environment, KC_HOSTNAME: address, KC_HOSTNAME_ADMIN: address },
      realms: [join(ROOT, 'deploy/compose/realm-main.json')],
    }),
  );
  return `${address}/realms/main`;
}

it('each service of the compose file starts from its files, and scopemesh enforces the scope of the realm', async () => {
  expect(Object.keys(services)).toEqual([
    'consul',
    'consul-setup',
    'redis',
    'kafka',
    'keycloak',
    'trail-key',
    'scopemesh',
  ]);
  const [, redis, kafka, issuer] = await Promise.all([
    startsConsul(),
    startsRedis(),
    startsKafka(),
    startsKeycloak(),
  ]);

  const state = join(directory, 'state');
  await mkdir(state, { mode: 0o700 });
  const [script = ''] = service('trail-key').command;
  for (const _ of ['the first start', 'a second start'])
    await run(process.execPath, ['-e', script.replaceAll('/var/lib/scopemesh', state)]);

  const [port] = await freePorts(1);
  const { SCOPEMESH_HTTP_TOKEN = '' } = service('scopemesh').environment;
  const daemon = await startProcess({
    name: 'scopemesh',
    command: process.execPath,
    args: [join(ROOT, 'dist/workers/main.js'), 'run', '-c', join(ROOT, 'deploy/compose/scopemesh.yaml')],
    env: {
      ...service('scopemesh').environment,
      CONSUL_ADDRESS: consul.httpAddress,
      KEYCLOAK_ISSUER: issuer,
      REDIS_URL: redis,
      KAFKA_BROKER: kafka,
      STATE_DIRECTORY: state,
      LISTEN: `127.0.0.1:${port}`,
    },
    logFile: join(directory, 'scopemesh.log'),
  });
  keep(daemon);
  const intention = await until(
    'the intention',
    () => consul.request('GET', '/v1/config/service-intentions/orders'),
    { timeoutMs: 60_000, process: daemon },
  );
  expect(intention).toMatchObject({
    Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { Methods: ['GET', 'HEAD'] } }] }],
  });
  // The first decisions are of the JWT provider and the binding rules; that of the intention is published later.
  await until(
    'the decision on the intention',
    async () =>
      (await readTopic(kafka, 'scopemesh.decisions')).some(({ value }) => value?.includes('ScopeGranted')),
    { timeoutMs: 60_000, process: daemon },
  );
  const authorization = `Bearer ${SCOPEMESH_HTTP_TOKEN}`;
  const status = await fetch(`http://127.0.0.1:${port}/statusz`, { headers: { authorization } });
  expect(await status.json()).toMatchObject({ leader: true });
}, 300_000);
