import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/model/decision.js';
import { toHeldChanges } from '../../../src/trail/evidence/held-changes.js';
import { decision } from '../../support/decisions.js';

const alice = { id: 'local', note: 'alice' };
const mallory = { id: 'mallory' };
const byIdp = { kind: 'webhook', receivedAt: '2026-03-01T09:00:00.000Z', principal: mallory } as const;
const hold = decision({ outcome: 'held', reason: 'RevocationLimit', principal: mallory, cause: byIdp });
const approved = decision({ principal: alice });
const other = decision({ action: 'change', scopes: ['orders:read'], principal: mallory, cause: byIdp });
const released = decision({
  type: 'dev.scopemesh.intention.released',
  outcome: 'observed',
  reason: 'HoldEnded',
  principal: mallory,
  cause: byIdp,
});

const ended = (...order: readonly Decision[]) => toHeldChanges(order.toReversed())[0];

describe('a held change', () => {
  it('is made by the person who approved it', () => {
    expect(ended(hold, approved)).toMatchObject({
      end: 'made',
      by: 'local (alice)',
      endedBy: { id: approved.id },
    });
  });

  it('is not made by another change of the same edge: only its release ends it', () => {
    expect(ended(hold, other)).toMatchObject({ end: 'pending' });
    expect(ended(hold, other, released)).toMatchObject({ end: 'ended', endedBy: { id: released.id } });
    expect(ended(hold, other, approved)).toMatchObject({ end: 'made', by: 'local (alice)' });
  });

  it('names nobody if it was made or ended without an approval', () => {
    expect(ended(hold, decision({ principal: mallory, cause: byIdp }))).not.toHaveProperty('by');
    expect(ended(hold, released)).not.toHaveProperty('by');
  });
});
