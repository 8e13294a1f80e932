import type { Decision } from '../../src/model/decision.js';
import { decision } from './decisions.js';

/** The second quarter. */
export const PERIOD = { from: '2026-04-01T00:00:00.000Z', to: '2026-07-01T00:00:00.000Z' } as const;

const READ = { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1/orders' }] };
const BOTH = { access: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1/orders' }] };

const edge = (
  source: string,
  actorKind: 'workload' | 'agent',
  clientId = `${source}-app`,
): Partial<Decision> => ({
  subject: `intention/default/default/orders/${source}`,
  resource: { kind: 'intention', source, destination: 'orders', namespace: 'default', partition: 'default' },
  client: { provider: 'main', clientId, actorKind },
});

/** A small history whose figures are easy to count by hand; one name is hostile. */
export function auditedTrail(): readonly Decision[] {
  const web = edge('web', 'workload');
  const batch = edge('batch', 'workload');
  const bot = edge('bot', 'agent');
  const at = (day: string) => ({ time: `2026-${day}T10:00:00.000Z` });
  const both = ['orders:read', 'orders:write'];
  const facts: readonly Partial<Decision>[] = [
    {
      ...web,
      ...at('03-01'),
      action: 'grant',
      reason: 'ScopeGranted',
      before: null,
      after: BOTH,
      scopes: both,
    },
    { ...batch, ...at('03-02'), action: 'grant', reason: 'ScopeGranted', before: null, after: READ },
    { ...batch, ...at('04-10'), reason: 'ClientDisabled', before: READ, after: null, latencyMs: 1_500 },
    { ...web, ...at('04-20'), before: BOTH, after: READ, scopes: ['orders:write'], latencyMs: 20 },
    {
      ...at('04-21'),
      type: 'dev.scopemesh.acl-policy.created',
      subject: 'acl-policy/scopemesh-payments_rules-1',
      resource: { kind: 'acl-policy', name: 'scopemesh-payments_rules-1' },
      client: { provider: 'main', clientId: 'bot-app', actorKind: 'agent' },
      action: 'grant',
      reason: 'ScopeGranted',
      before: null,
      after: { name: 'scopemesh-payments_rules-1', rules: '{"key_prefix":{"config/":{"policy":"read"}}}' },
      latencyMs: 12,
    },
    {
      ...bot,
      ...at('05-01'),
      action: 'grant',
      reason: 'ScopeGranted',
      before: null,
      after: READ,
      scopes: ['orders:read'],
      latencyMs: 30,
    },
    { ...web, ...at('05-02'), outcome: 'held', reason: 'RevocationLimit', before: READ, after: null },
    {
      ...web,
      ...at('05-03'),
      type: 'dev.scopemesh.intention.rejected',
      outcome: 'refused',
      action: 'none',
      reason: 'RevocationLimit',
      principal: { id: 'local', note: 'alice' },
      before: READ,
      after: null,
    },
    {
      ...edge('<script>alert(1)</script>', 'workload', '=HYPERLINK("x")'),
      ...at('05-04'),
      outcome: 'held',
      action: 'grant',
      reason: 'ForeignSource',
      before: null,
      after: READ,
      detail: '<script>alert(2)</script>',
    },
    {
      ...at('06-01'),
      type: 'dev.scopemesh.event.rejected',
      subject: 'event/main',
      resource: { kind: 'event', name: 'main' },
      outcome: 'refused',
      action: 'none',
      reason: 'SignatureInvalid',
    },
    {
      ...at('06-02'),
      type: 'dev.scopemesh.sweep.completed',
      subject: 'sweep/payments',
      resource: { kind: 'sweep', name: 'payments' },
      outcome: 'observed',
      action: 'none',
      reason: 'SweepCompleted',
      after: { ownedEdges: 2 },
    },
    { ...web, ...at('08-01'), reason: 'ClientDisabled', before: READ, after: null },
  ];
  return facts.map((each, index) => decision({ ...each, id: `d${String(index + 1).padStart(2, '0')}` }));
}
