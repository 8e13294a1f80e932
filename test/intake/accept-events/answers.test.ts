import { beforeEach, describe, expect, it } from 'vitest';
import { addIntake } from '../../../src/daemon/events.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import { RejectedEvent, SyncError } from '../../../src/errors.js';
import type { EventSource, IdentityEvent } from '../../../src/identity/source.js';
import { type AcceptDeps, acceptEvents } from '../../../src/intake/accept-events.js';
import type { RejectedEvents } from '../../../src/intake/rejected-events.js';
import { clientKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { NOW } from '../../plan/scene.js';

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
    inbox: {
      accept: async (_, events, { ttlMs }) => {
        const fresh = events.filter(({ id }) => !remembered.some(({ ids }) => ids.includes(id)));
        added.push(...fresh.flatMap(({ triggers }) => triggers));
        if (fresh.length > 0) remembered.push({ ids: fresh.map(({ id }) => id), ttlMs });
        return new Set(fresh.map(({ id }) => id));
      },
    },
    keyValues: { remember: async () => {} },
    activity: { note: async () => {} },
    logger: silentLogger,
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

  it('that revokes sessions ends those of its person or of all in the console, and of a client none', async () => {
    const ended: unknown[] = [];
    deps = {
      ...deps,
      sessions: {
        endNamed: async (...named) => {
          ended.push(named);
        },
      },
    };
    const order = { kind: 'session-revoked', provider: 'main', at: cause.receivedAt, cause } as const;
    const ana = { ...order, subject: 'ana', account: '00u7' };
    for (const each of [order, ana, { ...order, clientId: 'web' }])
      await accept({ id: 'e-3', triggers: [], orders: [each] });
    // Clocks differ, so the sessions that began shortly after the order end too.
    expect(ended).toEqual([
      ['provider:main', NOW + 5_000],
      ['oidc:main/ana', NOW + 5_000],
      ['oidc:main/00u7', NOW + 5_000],
    ]);
  });

  it('is refused if the store refuses it', async () => {
    deps = { ...deps, inbox: { accept: () => Promise.reject(AWAY) } };
    await expect(accept(changed)).rejects.toBe(AWAY);
  });

  it('is answered only once the store has it durably', async () => {
    let durable = () => {};
    const stored = new Promise<void>((resolve) => {
      durable = resolve;
    });
    deps = { ...deps, inbox: { accept: () => stored.then(() => new Set(['e-1'])) } };
    let isAnswered = false;
    const accepted = accept(changed).then(() => {
      isAnswered = true;
    });
    await new Promise(setImmediate);
    expect(isAnswered).toBe(false);
    durable();
    await accepted;
  });

  it('has no effect if it comes again', async () => {
    await accept(changed, changed);
    await accept(changed);
    expect(added).toHaveLength(1);
  });

  it('is remembered for longer than the six days in which evidence counts, whatever the clocks', async () => {
    await accept(changed);
    expect(remembered[0]?.ttlMs).toBeGreaterThanOrEqual(7 * DAY_MS);
  });
});

describe('the answer to an event', () => {
  const answered = async (
    rejected: readonly RejectedEvent[] = [],
    record: RejectedEvents['record'] = async () => {},
  ) => {
    const server = createHttpServer();
    const source: EventSource = {
      provider: 'main',
      receive: async () => ({ kind: 'events', events: [changed], rejected }),
    };
    addIntake(server, {
      ...deps,
      sources: new Map([['main', source]]),
      rejectedEvents: { record },
      unstored: { keep: () => {} },
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

  it('is 202 before the refusal of another event of the request is recorded, and although that fails', async () => {
    const refused = new RejectedEvent('ERR_EVENT_INVALID', 'no uuid', 400);
    const recorded: unknown[] = [];
    let fail = (_: Error) => {};
    const record = (_: string, error: RejectedEvent) => {
      recorded.push(error);
      return new Promise<void>((_resolve, reject) => {
        fail = reject;
      });
    };
    expect((await answered([refused], record)).statusCode).toBe(202);
    expect(recorded).toEqual([refused]);
    fail(new Error('the journal is away'));
    await new Promise(setImmediate);
  });

  it('is 503 with a retry time if the store refuses it', async () => {
    deps = { ...deps, inbox: { accept: () => Promise.reject(AWAY) } };
    const answer = await answered();
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '2']);
  });
});
