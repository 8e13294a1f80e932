import { draftOf } from '../../src/apply/decision-drafts.js';
import type { ApplyDeps } from '../../src/apply/deps.js';
import { entryAfter } from '../../src/apply/entry-sources.js';
import type { EntryWrite } from '../../src/apply/entry-write.js';
import type { Intentions } from '../../src/consul/consul.js';
import { SyncError } from '../../src/errors.js';
import type { Cause } from '../../src/model/cause.js';
import type { DraftDecision } from '../../src/model/decision.js';
import type { IntentionEntry } from '../../src/model/intention.js';
import type { Stamp } from '../../src/model/plain-decision.js';
import { type Labels, noMetrics, silentLogger } from '../../src/observe.js';
import { type Change, intentionResource, intentionSubject } from '../../src/plan/plan.js';
import type { RecordUpdate, SettledDecision } from '../../src/queue/journal.js';
import { ALLOW, DENY, entry, NOW, named, ourSource } from '../plan/scene.js';

export const KEY = 'destination/default/default/orders';
export const ORDERS = named('orders');
export const NEVER = new AbortController().signal;
export const CAUSE: Cause = { kind: 'webhook', receivedAt: new Date(NOW - 1_500).toISOString() };

export const REJECTED = new SyncError('ERR_CONSUL_REJECTED', 'Consul refuses it', { retriable: false });
export const UNREACHABLE = new SyncError('ERR_CONSUL_UNREACHABLE', 'no answer', { retriable: true });

/** The ports of a write, in memory; `log` is what happened, in order. */
export function applyRig() {
  const log: string[] = [];
  const pending = new Map<string, DraftDecision>();
  const settled: SettledDecision[] = [];
  const updates: RecordUpdate[] = [];
  const counted: string[] = [];
  const timed: string[] = [];
  const deps: ApplyDeps = {
    journal: {
      async record(key, drafts, replaced = []) {
        log.push(`record ${key} ${drafts.map(sourceOf).join('+')}`);
        for (const id of replaced) pending.delete(id);
        for (const draft of drafts) pending.set(draft.id, draft);
      },
      async settle(key, decisions, update = {}) {
        log.push(`settle ${key} ${decisions.map((each) => `${sourceOf(each)} ${each.outcome}`).join('+')}`);
        for (const { id } of decisions) pending.delete(id);
        settled.push(...decisions);
        updates.push(update);
      },
    },
    clock: { now: () => NOW, sleep: async () => {} },
    logger: silentLogger,
    metrics: {
      ...noMetrics,
      count: (name, labels: Labels = {}) =>
        counted.push([name, ...Object.values(labels).toSorted()].join(' ')),
      time: (name, seconds) => timed.push(`${name} ${seconds}`),
    },
    onSettled: () => log.push('woke the relay'),
  };
  let ids = 0;
  const stamp: Stamp = {
    source: 'scopemesh/pay/test',
    mappingRevision: 'sha256:test',
    newId: () => `id-${++ids}`,
    time: new Date(NOW).toISOString(),
  };
  return { deps, log, pending, settled, updates, counted, timed, stamp };
}

export type ApplyRig = ReturnType<typeof applyRig>;

/** A grant of everything to one source, or of what is given; `undefined` takes the source out. */
export function change(
  source: string,
  after: Change['after'] = ALLOW,
  changes: Partial<Change> = {},
): Change {
  return {
    subject: intentionSubject(ORDERS, source),
    resource: intentionResource(ORDERS, source),
    source: named(source),
    action: 'grant',
    verb: 'created',
    reason: 'ScopeGranted',
    before: undefined,
    after,
    description: `scopemesh:pay client=main/${source}`,
    scopes: ['orders:read'],
    opensBy: ['orders:read'],
    isInferred: false,
    narrows: false,
    widens: true,
    ...changes,
  };
}

export function loss(source: string, changes: Partial<Change> = {}): Change {
  return {
    ...change(source),
    action: 'revoke',
    verb: 'deleted',
    reason: 'ScopeRevoked',
    before: ALLOW,
    after: undefined,
    narrows: true,
    widens: false,
    ...changes,
  };
}

export const denial = (source: string) => loss(source, { verb: 'updated', after: DENY });

export function draft(source: string, rig: ApplyRig): DraftDecision {
  return draftOf(change(source), CAUSE, 7, rig.stamp);
}

/** One entry of Consul; `requests` is what came to it, as the names of the sources it was to have. */
export function memoryIntentions(first: IntentionEntry | undefined, rig: ApplyRig) {
  const self = {
    entry: first,
    requests: [] as string[],
    reads: 0,
    /** Called before each write; what it throws is Consul's answer. */
    before: (_sources: readonly string[]): void => {},
  };
  let index = first?.modifyIndex ?? 0;
  const put = (sources: Parameters<Intentions['write']>[2], expectedIndex: number, text?: string) => {
    const names = sources.map(({ name }) => name);
    rig.log.push(`send ${names.join('+')}`);
    self.requests.push(text ?? names.join('+'));
    self.before(names);
    if ((self.entry?.modifyIndex ?? 0) !== expectedIndex) return { kind: 'conflict' } as const;
    self.entry = entryAfter(self.entry, ORDERS, sources, ++index);
    return { kind: 'written', modifyIndex: index } as const;
  };
  const port: Pick<Intentions, 'read' | 'write' | 'delete'> = {
    async read() {
      self.reads++;
      return self.entry;
    },
    write: async (_destination, _base, sources, expectedIndex) => put(sources, expectedIndex),
    delete: async (_destination, expectedIndex) => put([], expectedIndex, 'delete'),
  };
  return Object.assign(self, { port });
}

export function entryOf(...sources: readonly string[]): IntentionEntry {
  return entry('orders', ...sources.map((source) => ourSource(source, ALLOW)));
}

/** A write of these changes, with everything else as simple as it can be. */
export function entryWrite(
  changes: readonly Change[],
  from: IntentionEntry | undefined,
  rig: ApplyRig,
  more: Partial<EntryWrite> = {},
): EntryWrite {
  return {
    key: KEY,
    destination: ORDERS,
    entry: from,
    changes,
    owner: 'pay',
    residualOf: () => undefined,
    causeOf: () => CAUSE,
    stamp: rig.stamp,
    replaced: [],
    overtaken: [],
    baseOf: async (_, isLost) => (isLost ? undefined : { base: from }),
    isTouched: () => false,
    reserve: () => undefined,
    onWritten: () => {},
    onNotMade: () => {},
    ...more,
  };
}

export function sourceOf({ resource }: Pick<DraftDecision, 'resource'>): string {
  return resource.source ?? resource.name ?? '';
}
