import { describe, expect, it } from 'vitest';
import type { ClaimRecord } from '../../src/model/catalog.js';
import type { ClaimChange } from '../../src/plan/claim-changes.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { settleClaims } from '../../src/reconcile/settle-claims.js';
import { CAUSE, NEVER } from '../apply/apply-rig.js';
import { claiming, NOW, named } from '../plan/scene.js';
import { depsOf, worldWithTwo } from './deps.js';

const WEB = { provider: 'main', clientId: 'web' };

interface At {
  readonly world: ReconcilerDeps['world'];
  readonly nowMs: number;
}

/** A world in which the service `web` claims the client first. `learn` is called after each record of a claim's write. */
function rigOf(learn: (record: number, at: At) => void) {
  const world = worldWithTwo();
  world.setMapping({ ...world.mapping, claims: 'first' });
  world.putClaimRecords([]);
  const { deps, decisions } = depsOf(world, {});
  const made: string[] = [];
  let stored: readonly ClaimRecord[] = [];
  let records = 0;
  let nowMs = NOW;
  const rig: ReconcilerDeps = {
    ...deps,
    clock: { ...deps.clock, now: () => nowMs },
    journal: {
      ...deps.journal,
      async record(key, drafts, replaced) {
        await deps.journal.record(key, drafts, replaced);
        if (drafts.length === 0) return;
        learn(++records, { world, nowMs });
        // No grace keeps a claim any more.
        nowMs += 3_600_000;
      },
    },
    consul: {
      ...deps.consul,
      claims: {
        ...deps.consul.claims,
        list: async () => stored,
        write: async (writes) =>
          writes.map(({ do: what, record }) => {
            made.push(`${what} ${record.service.name}`);
            stored = what === 'create' ? [{ ...record, modifyIndex: 1 }] : [];
            return { kind: 'written' };
          }),
      },
    },
  };
  const outcomes = () =>
    decisions
      .filter(({ resource }) => resource.kind === 'claim')
      .map(({ resource, outcome, reason }) => `${resource.name} ${outcome} ${reason}`);
  return {
    world,
    deps: rig,
    made,
    outcomes,
    settle: (isShown?: (change: ClaimChange) => boolean) => settleClaims(WEB, CAUSE, rig, NEVER, isShown),
  };
}

/** The service that claims the client from now on. */
const claim = ({ world, nowMs }: At, ...names: readonly string[]) =>
  world.putCatalog(
    {
      services: names.map((name) => claiming(name, 'web')),
      protocols: new Map(),
      defaultProtocol: 'http',
    },
    nowMs,
  );

describe('the record of a claim that was planned and is not yet written', () => {
  it('is created where the service still claims the client', async () => {
    const it = rigOf(() => {});
    expect(await it.settle()).toBe(true);
    expect(it.made).toEqual(['create web']);
    expect(it.outcomes()).toEqual(['web applied ClaimAdded']);
  });

  it('refuses every other service that claims the client, with a hold', async () => {
    const it = rigOf(() => {});
    claim({ world: it.world, nowMs: NOW }, 'shop', 'web');
    expect(await it.settle()).toBe(true);
    expect(it.made).toEqual(['create web']);
    expect(it.outcomes()).toEqual(['web applied ClaimAdded', 'shop held ClaimTaken']);
  });

  it('is not created for a service that claims the client no longer, and its claim is planned again at once', async () => {
    const it = rigOf((record, at) => {
      if (record === 1) claim(at, 'shop');
    });
    expect(await it.settle()).toBe(true);
    expect(it.made).toEqual(['create shop']);
    expect(it.outcomes()).toEqual(['shop applied ClaimAdded']);
    expect((await it.deps.journal.read('client/main/web')).pending).toEqual([]);
  });

  it.each(['observe', 'extend'] as const)(
    'is not deleted in %s, and no hold or decision says so',
    async (mode) => {
      const it = rigOf(() => {});
      it.world.setMapping({ ...it.world.mapping, mode });
      it.world.putClaimRecords([{ ...WEB, service: named('old'), modifyIndex: 1 }]);
      await it.settle();
      expect([it.made, it.outcomes().filter((line) => line.startsWith('old'))]).toEqual([[], []]);
    },
  );

  it('is not created in observe, without a hold, and is created when the mode is enforce', async () => {
    const it = rigOf(() => {});
    it.world.setMapping({ ...it.world.mapping, mode: 'observe' });
    expect(await it.settle()).toBe(false);
    expect([it.made, it.outcomes()]).toEqual([[], []]);
    expect((await it.deps.journal.read('client/main/web')).holds.size).toBe(0);
    it.world.setMapping({ ...it.world.mapping, mode: 'enforce' });
    expect(await it.settle()).toBe(true);
    expect([it.made, it.outcomes()]).toEqual([['create web'], ['web applied ClaimAdded']]);
  });

  it('is not created once the mode is observe', async () => {
    const it = rigOf((record, { world }) => {
      if (record === 1) world.setMapping({ ...world.mapping, mode: 'observe' });
    });
    expect(await it.settle()).toBe(false);
    expect(it.made).toEqual([]);
    expect(it.outcomes()).toEqual([]);
  });

  it('is left to the next run of its client where the claims change with every record', async () => {
    const it = rigOf((record, at) => claim(at, record % 2 === 0 ? 'web' : 'shop'));
    await expect(it.settle()).rejects.toMatchObject({ code: 'ERR_CONSUL_CONFLICT', retriable: true });
    expect(it.made).toEqual([]);
    expect((await it.deps.journal.read('client/main/web')).pending).toEqual([]);
  });

  it('is not created for another service than a person saw in the plan', async () => {
    const it = rigOf((record, at) => {
      if (record === 1) claim(at, 'shop');
    });
    expect(await it.settle(({ service }) => service.name === 'web')).toBe(false);
    expect(it.made).toEqual([]);
  });

  it('is planned again for the next service also once the first removal freed the client', async () => {
    const it = rigOf((record, at) => {
      if (record === 2) claim(at, 'next');
    });
    const old = { ...WEB, service: named('old'), modifyIndex: 1 };
    it.world.putClaimRecords([old]);
    expect(await it.settle()).toBe(true);
    expect(it.made).toEqual(['delete old', 'create next']);
    expect(it.outcomes().at(-1)).toBe('next applied ClaimAdded');
  });

  it('is created while claims on other clients change', async () => {
    const it = rigOf((_record, at) => claim(at, 'web', 'api'));
    expect(await it.settle()).toBe(true);
    expect(it.made[0]).toBe('create web');
  });
});
