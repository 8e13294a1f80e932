import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { viewOf } from '../../src/apply/decision-drafts.js';
import { publicKeyPath } from '../../src/decisions/signing-key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { openConsul } from '../../workers/wire.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { installed } from '../stack/installed.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { createRig, OWNER, type Rig } from '../support/daemon.js';
import { isSoak } from '../support/soak.js';
import { ROOT } from './manual.js';

/** EXAMPLES_CHANGES=10000 takes as many; a seed may be given too. */
const CHANGES = Number(process.env.EXAMPLES_CHANGES ?? (isSoak ? 10_000 : 150));
const SEED = Number(process.env.EXAMPLES_SEED ?? 14);
/** Changes that are made before all of them are awaited: some meet in one write. */
const STEP = 5;
const TOPIC = 'scopemesh.decisions';
const DESTINATIONS = ['orders', 'reports', 'archive', 'vault'] as const;
const CALLERS = ['web', 'batch', 'bot', 'desk', 'sync'] as const;
const SCOPES = {
  'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
  'orders:write': { to: 'orders', methods: ['POST'], path: '/v1/orders' },
  reports: [{ to: 'reports' }, { to: 'archive', methods: ['GET'] }],
  'vault:open': { to: 'vault' },
};

/** By `source -> destination`, the access in the form of decisions. */
type Table = Readonly<Record<string, unknown>>;

let kafka: KafkaHandle;
let consul: ConsulHandle;
let rig: Rig;
beforeAll(async () => {
  [kafka, consul] = await Promise.all([startKafka(), startConsul(), installed('python')]);
  rig = await createRig({
    file: {
      scopes: SCOPES,
      consul: { address: consul.httpAddress, token: consul.managementToken },
      decisions: { kind: 'kafka', brokers: [kafka.broker], topic: TOPIC },
    },
    prepare: register,
  });
});
afterAll(async () => {
  await rig?.close();
  await Promise.all([kafka?.stop(), consul?.stop()]);
});

async function register({ idp }: Rig): Promise<void> {
  const put = (path: string, body: unknown) => consul.request('PUT', path, body);
  const service = (name: string, Meta: Readonly<Record<string, string>> = {}) =>
    put('/v1/catalog/register', {
      Node: 'machine-1',
      Address: '10.0.0.1',
      SkipNodeUpdate: true,
      Service: { ID: name, Service: name, Port: 8080, Meta },
    });
  for (const name of DESTINATIONS) {
    await service(name);
    await put('/v1/config', { Kind: 'service-defaults', Name: name, Protocol: 'http' });
  }
  // A source of others is in the way: what scopemesh would open there is held, and is in no table.
  const Sources = [{ Name: 'sync', Action: 'deny' }];
  await put('/v1/config', { Kind: 'service-intentions', Name: 'reports', Sources });
  for (const name of CALLERS) {
    await service(name, { 'oauth-client-id': `${name}-app` });
    idp.put(`${name}-app`);
    idp.change(`${name}-app`, { attributes: { 'consul-services': name } });
  }
}

/** Of the edges that are marked as those of scopemesh. */
async function tableOfConsul(): Promise<Table> {
  const { consul: settings } = await rig.load();
  const port = await openConsul(settings, OWNER, {
    logger: silentLogger,
    metrics: noMetrics,
    clock: rig.clock,
  });
  try {
    const entries = await port.intentions.list(AbortSignal.timeout(10_000));
    return Object.fromEntries(
      entries.flatMap(({ destination, sources }) =>
        sources
          .filter(({ description }) => description?.startsWith(`scopemesh:${OWNER}`))
          .map(({ name, access }) => [`${name} -> ${destination.name}`, viewOf(access)]),
      ),
    );
  } finally {
    await port.close();
  }
}

interface Row {
  readonly source: string;
  readonly destination: string;
  readonly access: unknown;
}

async function tableOfPython(): Promise<Table> {
  const args = [
    'examples/python/access_table.py',
    '--brokers',
    kafka.broker,
    '--topic',
    TOPIC,
    '--key',
    keyFile(),
  ];
  const { stdout } = await promisify(execFile)(await installed('python'), args, {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
  });
  const rows: readonly Row[] = Object.values(JSON.parse(stdout));
  return Object.fromEntries(
    rows.map(({ source, destination, access }) => [`${source} -> ${destination}`, access]),
  );
}

/** Resolves once the lines of the example in Node add up to the table. */
async function expectOfNode(table: Table): Promise<void> {
  const child = spawn(process.execPath, ['examples/node/access-table.mjs', kafka.broker, TOPIC, keyFile()], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const found: Record<string, unknown> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const { source, destination, access }: Row = JSON.parse(line);
    if (access === null) delete found[`${source} -> ${destination}`];
    else found[`${source} -> ${destination}`] = access;
    if (JSON.stringify(sorted(found)) === JSON.stringify(sorted(table))) return;
  }
  expect(found).toEqual(table);
}

const keyFile = () => publicKeyPath(rig.directory);

function sorted(table: Table): Table {
  return Object.fromEntries(Object.entries(table).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

it(
  `after ${CHANGES} random changes the examples know the access that a real Consul has`,
  async () => {
    const [steps = []] = fc.sample(
      fc.array(
        fc.record({
          caller: fc.constantFrom(...CALLERS),
          scopes: fc.subarray(Object.keys(SCOPES)),
          enabled: fc.integer({ min: 0, max: 9 }).map((number) => number > 1),
        }),
        { minLength: CHANGES, maxLength: CHANGES, size: 'max' },
      ),
      { numRuns: 1, seed: SEED },
    );
    const daemon = await rig.start();
    await daemon.idle();
    let made = 0;
    for (const { caller, scopes, enabled } of steps) {
      rig.idp.change(`${caller}-app`, { scopes, enabled });
      await daemon.tell('client.updated', `${caller}-app`);
      if (++made % STEP === 0) await daemon.idle();
      // The examples are asked in between as well, so that an end that is right by chance does not do.
      if (made === Math.floor(CHANGES / 2)) {
        await daemon.idle();
        expect(await tableOfPython()).toEqual(await tableOfConsul());
      }
    }
    await daemon.idle();
    const table = await tableOfConsul();
    expect(Object.keys(table).length).toBeGreaterThan(2);
    expect(await tableOfPython()).toEqual(table);
    await expectOfNode(table);
    await daemon.stop();
  },
  120_000 + CHANGES * 1_000,
);
