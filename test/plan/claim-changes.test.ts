import { describe, expect, it } from 'vitest';
import { guardableClaims, withClaims } from '../../src/plan/claim-changes.js';
import type { GuardFacts } from '../../src/plan/guards/guard.js';
import { guard } from '../../src/plan/guards/guards.js';
import { policyOf } from '../../src/plan/mode.js';
import { NOTHING_IN_THE_WAY } from './guarded.js';
import { NOW, named } from './scene.js';

const client = { provider: 'main', clientId: 'web', actorKind: 'workload' } as const;
const record = { provider: 'main', clientId: 'web', service: named('old'), modifyIndex: 3 };
const CREATE = { client, create: named('new'), remove: undefined };
const REMOVE = { client, create: undefined, remove: record };

function guarded(
  plan: Parameters<typeof guardableClaims>[0],
  mode: 'observe' | 'extend' | 'enforce',
  facts: Partial<GuardFacts> = {},
) {
  const policy = policyOf({ mode });
  const { changes, holds } = guard(guardableClaims(plan, policy), {
    ...NOTHING_IN_THE_WAY,
    policy,
    ...facts,
  });
  return { changes: changes.map(({ verb, service }) => `${verb} ${service.name}`), holds };
}

describe('the record of a claim, for the guards', () => {
  it('is created in enforce and extend, and deleted only in enforce', () => {
    for (const mode of ['enforce', 'extend'] as const)
      expect(guarded(CREATE, mode)).toEqual({ changes: ['created new'], holds: [] });
    expect(guarded(REMOVE, 'enforce')).toEqual({ changes: ['deleted old'], holds: [] });
    expect(guarded(REMOVE, 'extend')).toMatchObject({ changes: [], holds: [{ reason: 'ModeForbids' }] });
  });

  it('is only planned in observe, with the reason for which it would be made', () => {
    expect(guarded(CREATE, 'observe')).toEqual({
      changes: [],
      holds: [
        {
          subject: 'claim/main/web/new',
          resource: { kind: 'claim', name: 'new', namespace: 'default', partition: 'default' },
          reason: 'ModeForbids',
          changeReason: 'ClaimAdded',
          detail: 'mode is observe: nothing is written',
          action: 'grant',
          client,
          scopes: [],
        },
      ],
    });
    expect(guarded(REMOVE, 'observe').holds).toMatchObject([
      { subject: 'claim/main/web/old', changeReason: 'ClaimRemoved', action: 'revoke' },
    ]);
  });

  it('is written in a freeze and while the store is low, for it opens nothing by itself', () => {
    const facts = { freeze: { kind: 'started', since: NOW }, isStoreLow: true } as const;
    expect(guarded(CREATE, 'enforce', facts)).toEqual({ changes: ['created new'], holds: [] });
    expect(guarded(REMOVE, 'enforce', facts)).toEqual({ changes: ['deleted old'], holds: [] });
  });

  it('is nothing where the plan has none', () => {
    expect(guarded({ client, create: undefined, remove: undefined }, 'enforce')).toEqual({
      changes: [],
      holds: [],
    });
  });
});

it('the records after the changes lack the deleted ones and have the created ones', () => {
  const changes = [{ client, service: named('new'), verb: 'created' as const }];
  expect(withClaims([], changes)).toMatchObject([{ service: named('new'), clientId: 'web' }]);
  expect(withClaims([record], [{ client, service: named('old'), verb: 'deleted' }])).toEqual([]);
});
