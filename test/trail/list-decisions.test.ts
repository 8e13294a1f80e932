import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { type DecisionFilter, listDecisions } from '../../src/trail/list-decisions.js';
import { decision } from '../support/decisions.js';
import { trailOf } from '../support/trail-history.js';

const SERVICES = ['web', 'orders', 'billing'];
const pick = <T>(all: readonly T[], at: number) => all[at % all.length] as T;
const EDGES: readonly Decision[] = Array.from({ length: 60 }, (_, at) =>
  decision({
    id: `id-${String(at).padStart(3, '0')}`,
    time: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString(),
    subject: `intention/default/default/${pick(SERVICES, at)}/${pick(SERVICES, at >> 1)}`,
    resource: { kind: 'intention', source: pick(SERVICES, at >> 1), destination: pick(SERVICES, at) },
    client: {
      provider: pick(['main', 'other'], at),
      clientId: pick(['a', 'b'], at >> 2),
      actorKind: 'agent',
    },
    outcome: pick(['applied', 'held', 'observed'], at),
  }),
);

const CLAIM = decision({
  id: 'id-060',
  time: '2026-01-01T01:00:00.000Z',
  type: 'dev.scopemesh.claim.created',
  subject: 'claim/main/a/web',
  resource: { kind: 'claim', name: 'web', namespace: 'default', partition: 'default' },
  client: { provider: 'main', clientId: 'a', actorKind: 'agent' },
});
const HISTORY = [...EDGES, CLAIM];

let directory: string;
let trail: Trail;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-list-'));
  trail = await trailOf(directory, HISTORY);
});
afterAll(async () => {
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

it.each<[DecisionFilter, (each: Decision) => boolean]>([
  [{}, () => true],
  [{ outcome: 'held' }, ({ outcome }) => outcome === 'held'],
  [
    { service: 'web' },
    ({ resource: { source, destination, name } }) => [source, destination, name].includes('web'),
  ],
  [{ service: 'web', kind: 'claim' }, ({ id }) => id === CLAIM.id],
  [{ client: 'a' }, ({ client }) => client?.clientId === 'a'],
  [{ client: 'main/a' }, ({ client }) => client?.clientId === 'a' && client.provider === 'main'],
  [
    { client: 'b', service: 'orders', outcome: 'applied' },
    ({ client, resource: { source, destination }, outcome }) =>
      client?.clientId === 'b' && outcome === 'applied' && [source, destination].includes('orders'),
  ],
  [
    { since: '2026-01-01T00:10:00.000Z', until: '2026-01-01T00:20:00.000Z' },
    ({ time }) => time >= '2026-01-01T00:10:00.000Z' && time <= '2026-01-01T00:20:00.000Z',
  ],
  [{ reason: 'Frozen' }, () => false],
])('the pages of %j together are what fits, newest first, each once', async (filter, fits) => {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const { decisions, next } = await listDecisions(trail, filter, { cursor, limit: 7 });
    expect(decisions.length).toBeLessThanOrEqual(7);
    found.push(...decisions.map(({ id }) => id));
    cursor = next;
  } while (cursor !== undefined);
  expect(found).toEqual(
    HISTORY.filter(fits)
      .map(({ id }) => id)
      .toReversed(),
  );
});
