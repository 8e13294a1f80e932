import { ulid } from 'ulid';
import type { Decision } from '../../src/model/decision.js';

/** A decision on the edge web -> orders, with what differs. */
export function decision(changes: Partial<Decision> = {}): Decision {
  return {
    id: ulid(),
    time: '2026-03-01T10:00:00.000Z',
    type: 'dev.scopemesh.intention.updated',
    subject: 'intention/default/default/orders/web',
    source: 'scopemesh/payments/replica-1',
    action: 'revoke',
    outcome: 'applied',
    reason: 'ScopeRevoked',
    resource: {
      kind: 'intention',
      source: 'web',
      destination: 'orders',
      namespace: 'default',
      partition: 'default',
    },
    client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
    scopes: ['orders:write'],
    principal: { id: 'alice', ip: '192.0.2.7' },
    cause: { kind: 'webhook', eventId: 'e-1', receivedAt: '2026-03-01T09:59:59.990Z' },
    before: { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/v1/orders' }] },
    after: { kind: 'deny' },
    consul: { modifyIndex: 812 },
    mappingRevision: 'sha256:00',
    revision: 1,
    latencyMs: 11.4,
    ...changes,
  };
}

/** A decision that set the access of a source to `orders`. */
export function edgeDecision(
  source: string,
  time: string,
  before: unknown,
  after: unknown,
  changes: Partial<Decision> = {},
): Decision {
  return decision({
    time,
    subject: `intention/default/default/orders/${source}`,
    resource: {
      kind: 'intention',
      source,
      destination: 'orders',
      namespace: 'default',
      partition: 'default',
    },
    client: { provider: 'main', clientId: `${source}-app`, actorKind: 'workload' },
    before,
    after,
    ...changes,
  });
}

/** In mode observe: web would get a part of orders of its own, in place of what a wildcard allows. */
export function narrowedInTrial(time: string): Decision {
  const path = { methods: ['GET', 'HEAD'], pathPrefix: '/v1/orders' };
  return decision({
    time,
    type: 'dev.scopemesh.intention.planned',
    outcome: 'observed',
    reason: 'ModeForbids',
    changeReason: 'ScopeGranted',
    action: 'grant',
    before: null,
    after: { access: 'http', permissions: [path] },
  });
}

/** `count` decisions over `subjects` subjects in turn, each subject's revisions counting from 1. */
export function decisions(count: number, subjects = 3, prefix = 'subject'): Decision[] {
  return Array.from({ length: count }, (_, at) =>
    decision({ subject: `${prefix}/${at % subjects}`, revision: Math.floor(at / subjects) + 1 }),
  );
}

/** What of a history of decisions is wrong: a revision missing, doubled or out of order within its subject. */
export function faultsOf(history: readonly Pick<Decision, 'subject' | 'revision'>[]): string[] {
  const last = new Map<string, number>();
  const faults: string[] = [];
  for (const { subject, revision } of history) {
    const expected = (last.get(subject) ?? 0) + 1;
    if (revision !== expected) faults.push(`${subject}: ${revision} where ${expected} was due`);
    last.set(subject, revision);
  }
  return faults;
}

/** The writes of applied decisions; one write may have several. */
export function writesOf(applied: readonly Decision[]): number {
  return new Set(applied.map(({ writeId, id }) => writeId ?? id)).size;
}
