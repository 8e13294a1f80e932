import { type BenchConsul, inParallel, startBenchConsul } from './consul.js';
import { scopeFor, type World } from './world.js';
import { startWriteClock } from './write-clock.js';

/** The bodies of one write for each destination of a world, as scopemesh would send them. */
export function intentionBodies({ clients, services }: World): readonly string[] {
  const serviceOf = new Map(services.map(({ name, clientId }) => [clientId, name]));
  const callers = new Map<string, { clientId: string; source: string; scope: string }[]>();
  for (const { name } of services) callers.set(scopeFor(name), []);
  for (const { clientId, scopes } of clients)
    for (const scope of scopes)
      callers.get(scope)?.push({ clientId, source: serviceOf.get(clientId) ?? clientId, scope });
  return services.map(({ name }) =>
    JSON.stringify({
      Kind: 'service-intentions',
      Name: name,
      Sources: (callers.get(scopeFor(name)) ?? []).map(({ clientId, source, scope }) => ({
        Name: source,
        Action: 'allow',
        Type: 'consul',
        Description: `scopemesh:bench client=main/${clientId} scope=${scope}`,
      })),
    }),
  );
}

const CANDIDATES = [8, 16, 32, 64, 128];
const TRIAL = 600;
const found = new Map<string, Promise<number>>();

/** The concurrency at which `writeAll` is fastest on a fresh Consul; found once in a run for each `kind` of write. */
export function bestConcurrency(
  kind: string,
  writeAll: (consul: BenchConsul, concurrency: number, first: number, count: number) => Promise<void>,
  trial = TRIAL,
): Promise<number> {
  const known = found.get(kind) ?? findBest(writeAll, trial);
  found.set(kind, known);
  return known;
}

async function findBest(
  writeAll: (consul: BenchConsul, concurrency: number, first: number, count: number) => Promise<void>,
  trial: number,
): Promise<number> {
  const consul = await startBenchConsul();
  try {
    const seconds = new Map<number, number>();
    let first = 0;
    // Twice each, in turn, because the machine may have other work for a moment.
    for (const concurrency of [...CANDIDATES, ...CANDIDATES]) {
      const begun = performance.now();
      await writeAll(consul, concurrency, first, trial);
      first += trial;
      const took = performance.now() - begun;
      seconds.set(concurrency, Math.min(took, seconds.get(concurrency) ?? took));
    }
    const [best] = [...seconds].toSorted(([, a], [, b]) => a - b);
    return best?.[0] ?? 32;
  } finally {
    await consul.stop();
  }
}

const trialBody = (index: number) =>
  JSON.stringify({
    Kind: 'service-intentions',
    Name: `trial-${index}`,
    Sources: [{ Name: 'web', Action: 'allow' }],
  });

/** Writes every destination of a world by a bare loop at the best concurrency; entries a second, */
export async function rawWritesPerSecond(world: World): Promise<number> {
  const concurrency = await bestConcurrency('intentions', (consul, most, first, count) =>
    inParallel(most, count, (at) => consul.send('PUT', '/v1/config', trialBody(first + at))),
  );
  const bodies = intentionBodies(world);
  const consul = await startBenchConsul();
  try {
    await consul.register(world);
    // The same clock as for scopemesh: its looks cost Consul and the bench some processor time.
    const clock = await startWriteClock(consul);
    await inParallel(concurrency, bodies.length, (at) => consul.send('PUT', '/v1/config', bodies[at]));
    return (await clock.stop()).perSecond;
  } finally {
    await consul.stop();
  }
}
