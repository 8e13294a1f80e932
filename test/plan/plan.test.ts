import { describe, expect, test } from 'vitest';
import { claimFacts, claimSubject, clientSubject, intentionSubject, toHold } from '../../src/plan/plan.js';
import { named, planOf, scene } from './scene.js';

const WEB = { provider: 'main', clientId: 'web/1' };

describe('the subject of a decision', () => {
  test('has a segment for each name, and quotes what would divide one', () => {
    expect(intentionSubject(named('orders'), 'a/b')).toBe('intention/default/default/orders/a%2Fb');
    expect(claimSubject(WEB, 'shop%')).toBe('claim/main/web%2F1/shop%25');
    expect(clientSubject(WEB)).toBe('client/main/web%2F1');
  });

  test('keeps colons and commas, which identifiers of clients often have', () => {
    expect(clientSubject({ provider: 'main', clientId: 'api://a:b,c' })).toBe('client/main/api:%2F%2Fa:b,c');
  });
});

test('a decision about the record of a claim shows the service after its creation, and before its deletion', () => {
  const [made, gone] = [true, false].map((isNew) => claimFacts(WEB, named('shop'), isNew));
  expect(made).toEqual({
    subject: 'claim/main/web%2F1/shop',
    action: 'grant',
    reason: 'ClaimAdded',
    resource: { kind: 'claim', name: 'shop', namespace: 'default', partition: 'default' },
    scopes: [],
    before: null,
    after: { service: 'shop' },
  });
  expect(gone).toMatchObject({
    action: 'revoke',
    reason: 'ClaimRemoved',
    before: { service: 'shop' },
    after: null,
  });
});

test('a hold has the content and the client of its change, and the reason of the change where the mode forbids it', () => {
  const [change] = planOf(scene()).changes;
  if (change === undefined) throw new Error('the scene changes nothing');
  const { client, before, after } = change;
  expect(client).toBeDefined();
  const held = toHold(change, 'ModeForbids', 'why');
  expect(held).toMatchObject({ detail: 'why', client, before, after, changeReason: change.reason });
  // What a freeze held opens for its own reason when the freeze ends.
  expect(toHold(change, 'Frozen', 'why')).toMatchObject({ changeReason: change.reason });
  expect(toHold(change, 'RevocationLimit', 'why')).not.toHaveProperty('changeReason');
  const { client: _, ...without } = change;
  expect(toHold(without, 'Frozen', 'why')).not.toHaveProperty('client');
});
