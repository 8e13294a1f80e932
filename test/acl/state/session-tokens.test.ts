import { describe, expect, it } from 'vitest';
import { AclCache } from '../../../src/acl/state/acl-cache.js';
import {
  namedBy,
  sessionResource,
  sessionSubject,
  tokensOfSession,
} from '../../../src/acl/state/session-tokens.js';
import type { AclRole, Stored } from '../../../src/model/acl.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Mapping } from '../../../src/model/rule.js';
import {
  clientName,
  describe as describeObject,
  peopleName,
  personName,
} from '../../../src/plan/object-names.js';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { settings } from '../plan/acl-scene.js';

const READ = 'service_prefix "" { policy = "read" }';
const role = (name: string, description: string): Stored<AclRole> => ({
  id: name,
  isAltered: false,
  modifyIndex: 1,
  object: { name, description, policies: [], serviceIdentities: [] },
});
const ofClient = (clientId: string) =>
  role(
    clientName('pay', { provider: 'main', clientId }),
    describeObject('pay', { client: ['main', clientId] }),
  );
const ofPerson = (subject: string, group: string) =>
  role(
    personName('pay', 'main', subject, group),
    describeObject('pay', { person: ['main', subject], group: [group] }),
  );
const CAUSE = { kind: 'webhook', receivedAt: '2026-01-01T00:00:00Z' } as const;
const order = (changes: Partial<RevocationOrder> = {}): RevocationOrder => ({
  kind: 'session-revoked',
  provider: 'main',
  at: CAUSE.receivedAt,
  cause: CAUSE,
  ...changes,
});

function known(changes: Partial<Mapping> = {}) {
  const acl = settings({ groups: [{ group: 'oncall', acl: READ }] });
  const world = new WorldState(mapping({ acl, ...changes }), SETTINGS);
  const clients = [
    client('robot', [], { internalId: 'i-1' }),
    client('portal', [], { actorKind: 'human' }),
    client('Big ID', []),
  ];
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const cache = new AclCache();
  const roles = [ofClient('robot'), ofClient('portal'), ofPerson('ann', 'old'), ofPerson('bob', 'old')];
  // Of one only the rule is left.
  const { name, description } = ofClient('former').object;
  const rule = { description, authMethod: name, bindType: 'role', bindName: name, selector: '' } as const;
  const bindingRules = [{ id: '1', isAltered: false, modifyIndex: 1, object: rule }];
  cache.replaceAll({ roles, policies: [], authMethods: [], bindingRules }, 1);
  return { world, acl: { cache } };
}
const methodOf = (clientId: string) => ({ authMethod: clientName('pay', { provider: 'main', clientId }) });
const roleOf = (subject: string, group: string) => ({
  role: personName('pay', 'main', subject, group).toLowerCase(),
});

describe('the tokens that the end of a session ends', () => {
  it('are those of the person, by every mapped group and every role that exists', () => {
    expect(tokensOfSession(order({ subject: 'ann' }), known())).toEqual([
      roleOf('ann', 'oncall'),
      roleOf('ann', 'old'),
    ]);
    expect(tokensOfSession(order({ subject: 'eve' }), known())).toEqual([roleOf('eve', 'oncall')]);
    expect(tokensOfSession(order({ subject: 'ann', provider: 'far' }), known())).toEqual([]);
  });

  it('are those of the client, by its ID or its internal ID', () => {
    expect(tokensOfSession(order({ clientId: 'robot' }), known())).toEqual([methodOf('robot')]);
    expect(tokensOfSession(order({ internalId: 'i-1' }), known())).toEqual([methodOf('robot')]);
    expect(tokensOfSession(order({ internalId: 'i-9' }), known())).toEqual([]);
    expect(tokensOfSession(order({ clientId: 'unknown' }), known())).toEqual([methodOf('unknown')]);
  });

  it('of a person at a client are those of the client too only if its tokens may be of people', () => {
    const of = (clientId: string) => tokensOfSession(order({ subject: 'eve', clientId }), known());
    expect(of('portal')).toEqual([roleOf('eve', 'oncall'), methodOf('portal')]);
    expect(of('unknown')).toEqual([roleOf('eve', 'oncall'), methodOf('unknown')]);
    expect(of('robot')).toEqual([roleOf('eve', 'oncall')]);
    const limits = {
      human: { never: [] },
      workload: { never: [], onBehalfOf: 'human' as const },
      agent: { never: [] },
    };
    expect(tokensOfSession(order({ subject: 'eve', clientId: 'robot' }), known({ limits }))).toContainEqual(
      methodOf('robot'),
    );
  });

  it('of everybody are those of all people, and of clients whose tokens may be of people', () => {
    expect(tokensOfSession(order(), known())).toEqual([
      { authMethod: peopleName('pay', 'main') },
      // Whose its tokens were is not known any more.
      methodOf('former'),
      methodOf('portal'),
    ]);
  });
});

describe('the decision about the end of a session', () => {
  it('names the client and the person of the order, as far as known', () => {
    expect(namedBy(order({ subject: 'ann', clientId: 'portal' }), known())).toEqual({
      client: { provider: 'main', clientId: 'portal', actorKind: 'human' },
      person: { provider: 'main', subject: 'ann', actorKind: 'human' },
    });
    expect(namedBy(order({ clientId: 'x' }), known())).toEqual({
      client: { provider: 'main', clientId: 'x', actorKind: 'unknown' },
    });
    expect(namedBy(order(), known())).toEqual({});
  });

  it('is about the auth method of the people, or of the client', () => {
    expect(sessionResource(order({ subject: 'ann' }), known())).toEqual({
      kind: 'acl-token',
      name: peopleName('pay', 'main'),
    });
    expect(sessionResource(order({ clientId: 'robot' }), known()).name).toBe('scopemesh-pay-main-robot');
    expect(sessionSubject(order({ subject: 'a/b' }), known())).toBe(
      'acl-token/scopemesh-pay-main-_people/session/a%2Fb',
    );
    expect(sessionSubject(order(), known())).toBe('acl-token/scopemesh-pay-main-_people/session/');
  });
});
