import { type BenchConsul, countBetween, inParallel, startBenchConsul } from '../support/consul.js';
import { bestConcurrency } from '../support/raw-writes.js';
import { LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene } from '../support/scene.js';
import { ringWorld, type World } from '../support/world.js';
import { keysOf, startWriteClock } from '../support/write-clock.js';

const SERVICES = 10_000;
/** Of one transaction of Consul. */
const OPERATIONS = 64;
const TRIAL = 150;
const FOLDER = 'scopemesh/bench/claims/';

/** Records of the first claims: who claims a client first has it, and Consul's KV keeps that. */
export const claimsFirst: Row = {
  name: 'claims-first',
  title: 'claims: first: the records of 10,000 claims in KV',
  limit: 'bare transactions of 64 records',
  needs: ['consul'],
  figures: [
    { id: 'rate', label: 'records, first to last', unit: '/s' },
    { id: 'transactions', label: 'transactions', unit: '' },
  ],
  async open(bench) {
    const world = ringWorld(bench.scaled(SERVICES, OPERATIONS), 0);
    return {
      contestants: new Map<string, () => Promise<Sample>>([
        [OURS, () => byApply(world)],
        [LIMIT, () => byBareTransactions(world)],
      ]),
      close: async () => {},
    };
  },
};

async function byApply(world: World): Promise<Sample> {
  const scene = await openScene(world, { file: { services: { claims: 'first' } } });
  try {
    return await timed(scene.consul, world, () => scene.command('apply', '--yes'));
  } finally {
    await scene.close();
  }
}

async function byBareTransactions({ services }: World): Promise<Sample> {
  const bodies = Array.from({ length: Math.ceil(services.length / OPERATIONS) }, (_, at) =>
    bodyOf(services.slice(at * OPERATIONS, (at + 1) * OPERATIONS)),
  );
  const concurrency = await bestConcurrency(
    'claims',
    (consul, most, first, count) =>
      inParallel(most, count, (at) =>
        consul.send(
          'PUT',
          '/v1/txn',
          bodyOf([{ name: `trial-${first + at}`, clientId: `trial-${first + at}` }]),
        ),
      ),
    TRIAL,
  );
  const consul = await startBenchConsul();
  try {
    return await timed(consul, { services, clients: [] }, () =>
      inParallel(concurrency, bodies.length, (at) => consul.send('PUT', '/v1/txn', bodies[at])),
    );
  } finally {
    await consul.stop();
  }
}

/** Records that exist already fail the transaction, as they do for scopemesh. */
function bodyOf(services: World['services']): string {
  return JSON.stringify(
    services.map(({ name, clientId }) => {
      const service = { partition: 'default', namespace: 'default', name };
      const Value = Buffer.from(JSON.stringify({ provider: 'main', clientId, service })).toString('base64');
      return { KV: { Verb: 'cas', Key: `${FOLDER}main/${clientId}`, Value, Index: 0 } };
    }),
  );
}

async function timed(
  consul: BenchConsul,
  { services }: World,
  work: () => Promise<unknown>,
): Promise<Sample> {
  const clock = await startWriteClock(consul, keysOf(consul, FOLDER));
  const before = await consul.requests();
  await work();
  const { entries, perSecond } = await clock.stop();
  if (entries !== services.length) throw new Error(`${entries} of ${services.length} records were written`);
  return { rate: perSecond, transactions: countBetween(before, await consul.requests(), 'PUT v1_txn') };
}
