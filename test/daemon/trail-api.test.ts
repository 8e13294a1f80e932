import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionLogSettings } from '../../src/app/adapter-factory.js';
import { systemClock } from '../../src/clock.js';
import { createApiAccess } from '../../src/daemon/api-access.js';
import type { CallGate } from '../../src/daemon/call-gate.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import { createQuestions } from '../../src/daemon/questions.js';
import { addTrailApi } from '../../src/daemon/trail-api.js';
import type { Trail } from '../../src/decisions/trail.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import type { WorldState } from '../../src/state/world-state.js';
import { startQuestionThread } from '../../workers/wire.js';
import { decision } from '../support/decisions.js';
import { trailOf } from '../support/trail-history.js';

const TOKEN = 'local-token-of-the-state-directory';
const ALLOW = { access: 'allow' };

let directory: string;
let trail: Trail;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-trail-api-'));
  trail = await trailOf(directory, [decision({ id: 'first', before: null, after: ALLOW })]);
});
afterAll(async () => {
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Around {
  readonly directory?: string;
  readonly token?: string;
  readonly now?: number;
}

/** One for each directory: a thread that is loaded from its sources takes seconds to start. */
const servers = new Map<string, FastifyInstance>();
let clockNow: number | undefined;
afterAll(() => Promise.all([...servers.values()].map((server) => server.close())));

function serverOf(at: string): FastifyInstance {
  const known = servers.get(at);
  if (known !== undefined) return known;
  const server = createHttpServer();
  servers.set(at, server);
  const settings = { owner: 'payments', decisions: { kind: 'embedded' }, state: { directory: at } };
  const start = (gate: CallGate) => startQuestionThread(settings as DecisionLogSettings, gate);
  const questions = createQuestions({ start, logger: silentLogger, metrics: noMetrics, deadlineMs: 60_000 });
  server.addHook('preClose', () => questions.close());
  addTrailApi(server, {
    questions,
    world: () => ({ mapping: { protectedServices: [] } }) as unknown as WorldState,
    isReconciling: () => false,
    access: createApiAccess({
      host: '127.0.0.1',
      tokens: [],
      local: { token: new Secret(TOKEN), path: '/data/api-token-8080' },
    }),
    clock: { ...systemClock, now: () => clockNow ?? systemClock.now() },
    logger: silentLogger,
  });
  return server;
}

async function ask(url: string, { directory: at = directory, token = TOKEN, now }: Around = {}) {
  clockNow = now;
  const answer = await serverOf(at).inject({
    url,
    remoteAddress: '127.0.0.1',
    headers: { host: '127.0.0.1:8080', authorization: `Bearer ${token}` },
  });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
}

describe('questions to the decision log over HTTP', () => {
  it.each([
    ['who-can-call?service=orders', { callers: [{ source: 'web', decision: { id: 'first' } }] }],
    ['what-can?name=main%2Fweb-app', { found: [{ kind: 'client', edges: [{ destination: 'orders' }] }] }],
    ['explain?source=web&destination=orders&path=/x', { verdict: 'allowed' }],
    ['explain?source=web&destination=orders&at=2026-02-01T00:00:00Z', { verdict: 'denied' }],
    ['history?name=orders', { decisions: [{ id: 'first' }] }],
    ['access-diff?from=2026-02-01T00:00:00Z', { edges: [{ kind: 'came', source: 'web' }] }],
    ['../edges', { asOf: { id: 'first' }, edges: [{ source: 'web', decision: 'first' }] }],
    ['blast-radius?name=web&at=2026-04-01T00:00:00%2B02:00', { reached: [{ service: 'orders', hops: 1 }] }],
  ])('answer %s as the command line does', async (query, expected) => {
    expect(await ask(`/api/trail/${query}`)).toMatchObject({ status: 200, body: expected });
  });

  it('about now know the last decision, although the clock was set back before it', async () => {
    const now = Date.parse('2026-02-20T00:00:00Z');
    expect(await ask('/api/trail/who-can-call?service=orders', { now })).toMatchObject({
      body: { at: '2026-03-01T10:00:00.000Z', callers: [{ source: 'web' }] },
    });
    expect(await ask('/api/trail/access-diff?from=2026-02-01T00:00:00Z', { now })).toMatchObject({
      body: { edges: [{ kind: 'came' }] },
    });
  });

  it.each([
    ['who-can-call', 400],
    ['who-can-call?service=orders&at=yesterday', 400],
    ['who-can-call?service=orders&more=1', 400],
    ['history?name=orders&limit=100000', 400],
    ['blast-radius?name=web', 400],
  ])('refuse %s', async (query, status) => {
    const answer = await ask(`/api/trail/${query}`);
    expect([answer.status, typeof answer.body.error]).toEqual([status, 'string']);
  });

  it('need a token', async () => {
    expect((await ask('/api/trail/who-can-call?service=orders', { token: 'wrong' })).status).toBe(401);
  });

  it('answer 503 if the log cannot be read', async () => {
    const answer = await ask('/api/trail/who-can-call?service=orders', { directory: '/dev/null' });
    expect([answer.status, answer.body.error]).toEqual([503, expect.stringContaining('/dev/null')]);
  });
});
