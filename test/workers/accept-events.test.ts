import { beforeEach, describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import type { EventSource, IdentityEvent } from '../../src/identity/source.js';
import { clientKey } from '../../src/model/key.js';
import type { RevocationOrder } from '../../src/model/order.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { type AcceptDeps, acceptEvents } from '../../workers/accept-events.js';
import { addIntake, createHttpServer } from '../../workers/intake.js';
import { NOW } from '../plan/scene.js';

const DAY_MS = 24 * 3600_000;
const AWAY = new SyncError('ERR_QUEUE_UNREACHABLE', 'the store is away', { retriable: true });
const key = clientKey('main', 'web');
const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };
const changed: IdentityEvent = { id: 'e-1', triggers: [{ key, cause }], orders: [] };
const ordered = (kind: RevocationOrder['kind']): IdentityEvent => ({
  id: 'e-2',
  triggers: [],
  orders: [{ kind, provider: 'main', clientId: 'web', at: cause.receivedAt, cause }],
});

let added: Trigger[];
let remembered: { readonly ids: readonly string[]; readonly ttlMs: number }[];
let deps: AcceptDeps;
beforeEach(() => {
  added = [];
  remembered = [];
  deps = {
    queue: { add: async (triggers) => void added.push(...triggers) },
    rechecks: { put: async () => {} },
    facts: {
      get: async () => undefined,
      set: async () => {},
      has: async (_, id) => remembered.some(({ ids }) => ids.includes(id)),
      remember: async (_, ids, ttlMs) => void remembered.push({ ids, ttlMs }),
    },
    heard: { note: async () => {} },
    metrics: noMetrics,
    clock: { now: () => NOW, sleep: async () => {} },
  };
});

const accept = (...events: readonly IdentityEvent[]) => acceptEvents('main', events, 'webhook', deps);

describe('an event that is accepted', () => {
  it.each(['client-disabled', 'client-deleted', 'secret-compromised', 'session-revoked'] as const)(
    'with an order %s queues it as urgent, although the event itself is not',
    async (kind) => {
      await accept(ordered(kind));
      expect(added).toMatchObject([{ urgent: true, order: { kind } }]);
    },
  );

  it.each([
    ['the queue', { queue: { add: () => Promise.reject(AWAY) } }],
    ['the list of what is looked at again', { rechecks: { put: () => Promise.reject(AWAY) } }],
  ])('is not, and its id is not remembered, where %s refuses it', async (_, broken) => {
    deps = { ...deps, ...broken };
    await expect(accept(changed)).rejects.toBe(AWAY);
    expect(remembered).toEqual([]);
  });

  it('is remembered, and answered, only once the queue has it for certain', async () => {
    let durable = () => {};
    const add = () =>
      new Promise<void>((resolve) => {
        durable = resolve;
      });
    deps = { ...deps, queue: { add } };
    let isAnswered = false;
    const accepted = accept(changed).then(() => {
      isAnswered = true;
    });
    await new Promise(setImmediate);
    expect([remembered, isAnswered]).toEqual([[], false]);
    durable();
    await accepted;
    expect(remembered.map(({ ids }) => ids)).toEqual([['e-1']]);
  });

  it('has no effect when it comes again', async () => {
    await accept(changed, changed);
    await accept(changed);
    expect(added).toHaveLength(1);
  });

  it('is remembered for longer than the six days for which evidence is believed, by clocks that differ', async () => {
    await accept(changed);
    expect(remembered[0]?.ttlMs).toBeGreaterThanOrEqual(7 * DAY_MS);
  });
});

describe('the answer to an event', () => {
  const answered = async () => {
    const server = createHttpServer();
    const source: EventSource = {
      provider: 'main',
      receive: async () => ({ kind: 'events', events: [changed] }),
    };
    addIntake(server, {
      ...deps,
      sources: new Map([['main', source]]),
      rejections: { record: async () => {} },
      logger: silentLogger,
    });
    const answer = await server.inject({ method: 'POST', url: '/events/main', payload: '{}' });
    await server.close();
    return answer;
  };

  it('is 202 once it is durable', async () => {
    expect((await answered()).statusCode).toBe(202);
    expect(added).toHaveLength(1);
  });

  it('is 503 with a time to come again, and nothing is remembered, where the queue refuses it', async () => {
    deps = { ...deps, queue: { add: () => Promise.reject(AWAY) } };
    const answer = await answered();
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '2']);
    expect(remembered).toEqual([]);
  });

  it('is 503 where its id cannot be remembered, so that the sender repeats it', async () => {
    deps = { ...deps, facts: { ...deps.facts, remember: () => Promise.reject(AWAY) } };
    expect((await answered()).statusCode).toBe(503);
  });
});
