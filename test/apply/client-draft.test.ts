import { describe, expect, it } from 'vitest';
import { type ClientDecision, clientDraft } from '../../src/apply/client-draft.js';
import { WorldState } from '../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../plan/scene.js';
import { applyRig, CAUSE } from './apply-rig.js';

const WEB = { provider: 'main', clientId: 'web' };
const QUARANTINE: ClientDecision = {
  verb: 'quarantined',
  reason: 'ClientQuarantined',
  cause: { ...CAUSE, principal: { id: 'ann' } },
  before: null,
  after: { since: 'now' },
  residual: { accessTokensUntil: 'unknown' },
};

function draftOf(decision: ClientDecision, isRead = true) {
  const { stamp, deps } = applyRig();
  const world = new WorldState(mapping(), SETTINGS);
  const web = client('web', ['orders', 'billing', 'orders']);
  world.putDirectory('main', isRead ? [web] : [], world.beginRead(), NOW);
  return clientDraft(WEB, decision, { ...stamp, clock: deps.clock, world });
}

describe('the draft about a client in quarantine', () => {
  it('revokes all its scopes, each once, and names who did it and what goes on', () => {
    expect(draftOf(QUARANTINE)).toEqual({
      id: 'id-1',
      type: 'dev.scopemesh.client.quarantined',
      subject: 'client/main/web',
      source: 'scopemesh/pay/test',
      action: 'revoke',
      reason: 'ClientQuarantined',
      resource: { kind: 'client', name: 'web' },
      client: { ...WEB, actorKind: 'workload' },
      scopes: ['billing', 'orders'],
      principal: { id: 'ann' },
      cause: QUARANTINE.cause,
      before: null,
      after: { since: 'now' },
      residual: { accessTokensUntil: 'unknown' },
      mappingRevision: 'sha256:test',
      expectedIndex: 0,
      recordedAt: new Date(NOW).toISOString(),
    });
  });

  it('grants again where it ends, and says no more than is known', () => {
    const { residual: _, ...rest } = QUARANTINE;
    const draft = draftOf({ ...rest, verb: 'released', reason: 'QuarantineEnded', cause: CAUSE }, false);
    expect(draft).toMatchObject({ action: 'grant', scopes: [], client: { ...WEB, actorKind: 'unknown' } });
    expect(Object.keys(draft)).not.toContain('principal');
    expect(Object.keys(draft)).not.toContain('residual');
  });
});
