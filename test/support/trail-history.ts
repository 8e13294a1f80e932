import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Consul } from '../../src/consul/consul.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import type { IndexReach, Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { clientKey } from '../../src/model/key.js';
import { silentLogger } from '../../src/observe.js';
import { digest } from '../../src/plan/access.js';
import { isOpen } from '../../src/trail/content.js';
import { whoCanCall } from '../../src/trail/who-can-call.js';
import { createRig } from './daemon.js';
import { createMovableClock } from './movable-clock.js';
import { startWorker } from './reconcile-rig.js';

/** Who may call each destination, as text: `orders: web http [...]`. Without closed edges. */
type Snapshot = ReadonlyMap<string, string>;

const DESTINATIONS = ['orders', 'reports', 'archive'] as const;
const CALLERS = ['web', 'batch', 'bot'] as const;

const SCOPES = {
  'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
  'orders:write': { to: 'orders', methods: ['POST'], path: '/v1/orders' },
  reports: [{ to: 'reports' }, { to: 'archive', methods: ['GET'] }],
};

/** What Consul has now. */
async function snapshotOf(consul: Consul): Promise<Snapshot> {
  const entries = await consul.intentions.list(AbortSignal.timeout(10_000));
  return new Map(
    DESTINATIONS.map((destination) => {
      const sources = entries.find((entry) => entry.destination.name === destination)?.sources ?? [];
      const open = sources.flatMap(({ name, access }) =>
        isOpen(access) ? [`${name} ${access.kind === 'other' ? 'other' : digest(access)}`] : [],
      );
      return [destination, open.toSorted().join('; ')];
    }),
  );
}

/** What the trail says that Consul had. */
async function snapshotOfTrail(trail: Trail, at: string): Promise<Snapshot> {
  const rows = DESTINATIONS.map(async (name): Promise<[string, string]> => {
    const { callers } = await whoCanCall(trail, name, at);
    const open = callers.map(
      ({ source, access }) => `${source} ${access?.kind === 'other' ? 'other' : digest(access)}`,
    );
    return [name, open.toSorted().join('; ')];
  });
  return new Map(await Promise.all(rows));
}

/** A trail with these decisions. */
export async function trailOf(directory: string, decisions: readonly Decision[]): Promise<Trail> {
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: createMovableClock() });
  await log.append(decisions);
  await log.close();
  return openEmbeddedTrail({ directory, logger: silentLogger, clock: createMovableClock() });
}

interface Step {
  readonly caller: (typeof CALLERS)[number];
  readonly scopes: readonly string[];
  readonly isEnabled: boolean;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  caller: fc.constantFrom(...CALLERS),
  scopes: fc.subarray(Object.keys(SCOPES)),
  isEnabled: fc.boolean(),
});

/** The HTTP API of a Consul that the test starts; without it, an embedded one. */
export interface TrailConsul {
  readonly address: string;
  readonly token: string;
  request(method: string, path: string, body: unknown): Promise<unknown>;
}

/**
 * Changes clients at random, takes a snapshot of Consul after each change, and asks the trail about each of these instants
 * afterwards.
 */
export async function expectTrailOfHistory(
  instants: number,
  seed: number,
  real?: TrailConsul,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-trail-'));
  const rig = await createRig({
    file: {
      scopes: SCOPES,
      ...(real === undefined ? {} : { consul: { address: real.address, token: real.token } }),
    },
    prepare: async ({ mesh, idp }) => {
      const put = real?.request ?? mesh.request;
      const register = (service: string, Meta: Readonly<Record<string, string>> = {}) =>
        put('PUT', '/v1/catalog/register', {
          Node: 'machine-1',
          Address: '10.0.0.1',
          SkipNodeUpdate: true,
          Service: { ID: service, Service: service, Port: 8080, Meta },
        });
      for (const service of DESTINATIONS) {
        await register(service);
        await put('PUT', '/v1/config', { Kind: 'service-defaults', Name: service, Protocol: 'http' });
      }
      for (const service of CALLERS) {
        await register(service, { 'oauth-client-id': `${service}-app` });
        idp.put(`${service}-app`);
        idp.change(`${service}-app`, { attributes: { 'consul-services': service } });
      }
      // What others wrote stays out of the trail; this one allows nothing.
      const Sources = [{ Name: 'blocked', Action: 'deny' }];
      await put('PUT', '/v1/config', { Kind: 'service-intentions', Name: 'orders', Sources });
    },
  });
  const worker = await startWorker(rig);
  try {
    await worker.idle();
    const [steps = []] = fc.sample(
      fc.array(STEP, { minLength: instants, maxLength: instants, size: 'max' }),
      {
        numRuns: 1,
        seed,
      },
    );
    const taken: { readonly at: string; readonly snapshot: Snapshot }[] = [];
    for (const { caller, scopes, isEnabled } of steps) {
      rig.idp.change(`${caller}-app`, { scopes, enabled: isEnabled });
      await worker.add(clientKey('main', `${caller}-app`), 'webhook', { urgent: true });
      await worker.idle();
      const snapshot = await snapshotOf(worker.deps.consul);
      taken.push({ at: new Date(rig.clock.now()).toISOString(), snapshot });
      rig.clock.advance(1_000);
    }
    const trail = await trailOf(directory, await worker.settled());
    try {
      for (const { at, snapshot } of taken) expect(await snapshotOfTrail(trail, at), at).toEqual(snapshot);
      const different = new Set(taken.map(({ snapshot }) => JSON.stringify([...snapshot])));
      expect(different.size).toBeGreaterThan(instants / 8);
    } finally {
      await trail.close();
    }
  } finally {
    await worker.stop();
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The same trail as an index of a topic. */
export function withIndex(trail: Trail, index: IndexReach): Trail {
  return {
    extent: async () => ({ ...(await trail.extent()), index }),
    subjects: (of) => trail.subjects(of),
    newestFirst: (subject, at) => trail.newestFirst(subject, at),
    next: (subject, at) => trail.next(subject, at),
    decision: (id) => trail.decision(id),
    eventsAround: (id) => trail.eventsAround(id),
    history: (of, between) => trail.history(of, between),
    close: () => trail.close(),
  };
}
