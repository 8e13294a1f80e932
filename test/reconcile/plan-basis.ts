import { vi } from 'vitest';
import type { IntentionEntry, ServiceName } from '../../src/model/intention.js';
import { destinationKey, formatKey } from '../../src/model/key.js';
import type { Evidence, Job, Trigger } from '../../src/model/trigger.js';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import type { RecordedHold } from '../../src/queue/journal.js';
import type { PlanBasis } from '../../src/reconcile/guarded-plan.js';
import { knownNow } from '../../src/state/state-plan.js';
import { ALLOW, keyOf, NOW, named } from '../plan/scene.js';
import { depsOf, worldWithTwo } from './deps.js';

export const KEY = { ...destinationKey('orders', 'default', 'default'), kind: 'destination' } as const;
export const TEXT = formatKey(KEY);
export const subjectOf = (source: string) => `intention/default/default/orders/${source}`;

const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };

/** The job of `orders`. `clients`: those that the identity provider reported. */
export function jobOf(clients: readonly string[] = []): Job {
  const evidence: readonly Evidence[] = clients.length === 0 ? [] : [{ provider: 'main', clients }];
  const trigger: Trigger = { key: KEY, cause, ...(evidence.length === 0 ? {} : { evidence }) };
  return { key: KEY, triggers: [trigger], attempts: 0 };
}

/** The two edges of `orders`, and what a plan of them is made from. `reads`: what Consul was asked for. */
export function planRig(stored: ReadonlyMap<string, IntentionEntry> = new Map()) {
  const world = worldWithTwo();
  const { deps, decisions } = depsOf(world, {});
  const entry = world.entries.get(keyOf('orders'));
  const reads: string[] = [];
  const read = async ({ name }: ServiceName) => {
    reads.push(name);
    return stored.get(name) ?? (name === 'orders' ? entry : undefined);
  };
  Object.assign(deps, { consul: { ...deps.consul, intentions: { ...deps.consul.intentions, read } } });
  const basis = (changes: Partial<PlanBasis> = {}): PlanBasis => {
    const job = jobOf();
    const record = { pending: [], lastApplied: world.records.of(TEXT), holds: new Map() };
    return {
      ...{ destination: named('orders'), seesGone: false, isFirst: true, record },
      from: knownNow(world, named('orders'), entry),
      job: () => job,
      ...changes,
    };
  };
  return {
    ...{ world, deps, decisions, entry, reads, basis },
    plans: vi.spyOn(world, 'openings'),
    /** A read shows the client no more. */
    lose: (clientId: string) => world.putClient({ provider: 'main', clientId }, undefined, world.beginRead()),
    /** The edges of these sources have a record, and no others. */
    onlyRecorded(...sources: readonly string[]) {
      const written = toLastAppliedText(ALLOW, ['orders']);
      world.rememberWritten(TEXT, new Map(sources.map((source) => [subjectOf(source), written])));
      world.setUnrecorded(undefined);
    },
  };
}

/** A record with a hold of one edge. */
export function recordOf(
  source: string,
  reason: RecordedHold['reason'],
  holdFields: Partial<RecordedHold> = {},
) {
  const hold = {
    subject: subjectOf(source),
    reason,
    decisionId: 'd',
    since: '',
    detail: '',
    fingerprint: '',
  };
  return { pending: [], holds: new Map([[`${hold.subject} ${reason}`, { ...hold, ...holdFields }]]) };
}
