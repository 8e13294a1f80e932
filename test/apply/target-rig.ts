import type { TargetDeps } from '../../src/apply/deps.js';
import type { ClaimRecord } from '../../src/model/catalog.js';
import type { DraftDecision } from '../../src/model/decision.js';
import type { ExistingJwtProvider } from '../../src/model/jwt-provider.js';
import type { Mapping } from '../../src/model/rule.js';
import { Contention } from '../../src/state/contention.js';
import { WorldState } from '../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../plan/scene.js';
import { applyRig } from './apply-rig.js';

/** Claim records and jwt-provider entries, in memory; `log` is what came to them and to the journal, in order. */
export function targetRig(changes: Partial<Mapping> = {}) {
  const rig = applyRig();
  const { log } = rig;
  const world = new WorldState(mapping(changes), SETTINGS);
  world.putDirectory('main', [client('web', ['orders'])], world.beginRead(), NOW);
  const self = {
    nowMs: NOW,
    records: [] as ClaimRecord[],
    entries: [] as ExistingJwtProvider[],
    warnings: [] as string[],
    /** Called before each write; what it throws is Consul's answer. */
    before: (_line: string): void => {},
    /** The answer to the next writes of claims. */
    refused: undefined as string | undefined,
    isIndexHidden: false,
  };
  const request = (line: string) => {
    log.push(line);
    self.before(line);
  };
  /** Compare-and-set by name. */
  const put = (name: string, expectedIndex: number, next: ExistingJwtProvider | undefined) => {
    const index = self.entries.find((each) => each.name === name)?.modifyIndex ?? 0;
    if (index !== expectedIndex) return { kind: 'conflict' } as const;
    self.entries = self.entries.filter((each) => each.name !== name);
    if (next !== undefined) self.entries.push(next);
    return { kind: 'written', modifyIndex: 50 } as const;
  };
  const deps: TargetDeps & { readonly contention: Contention } = {
    ...rig.deps,
    clock: { now: () => self.nowMs, sleep: async () => {} },
    logger: { ...rig.deps.logger, warn: (_fields, text) => self.warnings.push(text) },
    world,
    source: rig.stamp.source,
    newId: rig.stamp.newId,
    contention: new Contention({ limit: 1, windowMs: 1_000 }),
    consul: {
      claims: {
        async list() {
          request('list');
          return self.records;
        },
        async write(writes) {
          return writes.map(({ do: what, record }) => {
            request(`${what} ${record.clientId} ${record.service.name}`);
            if (self.refused !== undefined) return { kind: 'refused', detail: self.refused };
            const isThere = self.records.some(({ clientId }) => clientId === record.clientId);
            if (isThere !== (what === 'delete')) return { kind: 'conflict' };
            self.records = self.records.filter(({ clientId }) => clientId !== record.clientId);
            if (what === 'create') self.records.push({ ...record, modifyIndex: 9 });
            return { kind: 'written', ...(self.isIndexHidden ? {} : { modifyIndex: 9 }) };
          });
        },
      },
      jwtProviders: {
        async list() {
          request('list');
          return self.entries;
        },
        async write(content, expectedIndex) {
          request(`write ${content.name} at ${expectedIndex}`);
          const { name, meta } = content;
          return put(name, expectedIndex, { name, meta, content, modifyIndex: 50 });
        },
        async delete(name, expectedIndex) {
          request(`delete ${name} at ${expectedIndex}`);
          return put(name, expectedIndex, undefined);
        },
        agentVersions: async () => [],
      },
    },
  };
  const leave = async (key: string, ...drafts: readonly DraftDecision[]) => {
    await deps.journal.record(key, drafts);
    log.length = 0;
  };
  return Object.assign(self, { ...rig, deps, world, leave });
}

export type TargetRig = ReturnType<typeof targetRig>;
