import { describe, expect, test } from 'vitest';
import {
  type ClientRevocationFacts,
  clientRevocationCause,
} from '../../../src/acl/plan/client-revocation-cause.js';
import type { ClaimStatus } from '../../../src/plan/claim-status.js';
import { claimed, client, desire, mapping, named } from './acl-scene.js';

const web = client('web', ['config:read']);
const of = { provider: 'main', clientId: 'web' };
const refused: ClaimStatus = {
  kind: 'refused',
  service: named('web'),
  client: of,
  reason: 'ClaimUnconfirmed',
  detail: '',
};

const LIMITED = desire(web, { mapping: { limits: { ...mapping().limits, workload: { never: ['*'] } } } });

const scopes = (...names: readonly string[]) => names.map((name) => ({ name }));

function loss(changes: Partial<ClientRevocationFacts>) {
  const found = clientRevocationCause({
    id: { ...of, actorKind: 'workload' },
    clientBlock: undefined,
    client: web,
    now: desire(web),
    had: scopes('config:read'),
    lostServices: [],
    isNamed: false,
    needsHuman: false,
    changesProof: false,
    namedScopes: [],
    grantReason: 'ScopeGranted',
    ...changes,
  });
  return [found.reason, found.isInferred, found.scopes];
}

describe('what a client loses', () => {
  test.each<readonly [string, Partial<ClientRevocationFacts>, readonly [string, boolean, readonly string[]]]>(
    [
      [
        'by an order',
        { clientBlock: 'ClientQuarantined', client: undefined },
        ['ClientQuarantined', false, ['config:read']],
      ],
      ['by missing from a read', { client: undefined }, ['ClientDeleted', true, ['config:read']]],
      [
        'by an event that names it',
        { client: undefined, isNamed: true },
        ['ClientDeleted', false, ['config:read']],
      ],
      [
        'by being disabled',
        { client: { ...web, enabled: false } },
        ['ClientDisabled', false, ['config:read']],
      ],
      [
        'with a scope that a read does not show',
        { had: scopes('a', 'config:read') },
        ['ScopeRevoked', true, ['a']],
      ],
      [
        'with a scope that an event names',
        { had: scopes('a'), namedScopes: scopes('a', 'b') },
        ['ScopeRevoked', false, ['a']],
      ],
      [
        'with one named scope and one that is not',
        { had: scopes('a', 'c'), namedScopes: scopes('a') },
        ['ScopeRevoked', true, ['a', 'c']],
      ],
      [
        'with a scope at one API, although it has one of that name at another',
        { had: [{ api: 'a', name: 'config:read' }], namedScopes: scopes('config:read') },
        ['ScopeRevoked', true, ['config:read']],
      ],
      [
        'with a scope at the API that an event names',
        {
          had: [{ api: 'a', name: 'config:read' }],
          namedScopes: [{ api: 'a', name: 'config:read' }],
        },
        ['ScopeRevoked', false, ['config:read']],
      ],
      [
        'with a scope, when an event names the client',
        { had: scopes('a'), isNamed: true },
        ['ScopeRevoked', false, ['a']],
      ],
      ['by a limit of its kind', { now: LIMITED }, ['ActorLimited', true, ['config:read']]],
      [
        'by a limit of its kind, when an event names the client',
        { now: LIMITED, isNamed: true },
        ['ActorLimited', false, ['config:read']],
      ],
      [
        'by a limit of its kind that a new file sets',
        { now: LIMITED, grantReason: 'MappingChanged' },
        ['ActorLimited', false, ['config:read']],
      ],
      [
        'by a kind that may not act as the service which still claims it',
        { needsHuman: true, lostServices: [claimed(of, 'web')] },
        ['ActorLimited', true, []],
      ],
      [
        'by such a kind, as a new file has it',
        { needsHuman: true, lostServices: [claimed(of, 'web')], grantReason: 'MappingChanged' },
        ['ActorLimited', false, []],
      ],
      [
        'by a service that claims another client, whatever its kind',
        { needsHuman: true, lostServices: [claimed({ ...of, clientId: 'other' }, 'web')] },
        ['ClaimRemoved', false, []],
      ],
      ['by a kind whose tokens must show something else', { changesProof: true }, ['ActorLimited', true, []]],
      [
        'by such a kind, when an event names the client',
        { changesProof: true, isNamed: true },
        ['ActorLimited', false, []],
      ],
      [
        'by a removed tag',
        { lostServices: [{ kind: 'none', service: named('web'), vanished: false }] },
        ['ClaimRemoved', false, []],
      ],
      [
        'by a service that is gone',
        { lostServices: [{ kind: 'none', service: named('web'), vanished: true }] },
        ['ClaimRemoved', true, []],
      ],
      ['by no longer naming the service', { lostServices: [refused] }, ['ClaimRemoved', true, []]],
      [
        'by no longer naming it, as an event says',
        { lostServices: [refused], isNamed: true },
        ['ClaimRemoved', false, []],
      ],
      [
        'by another rule',
        { now: desire(web, { mapping: { rules: [] } }) },
        ['MappingChanged', false, ['config:read']],
      ],
      ['by nobody knows what', { had: undefined }, ['ScopeRevoked', true, []]],
    ],
  )('%s has its reason and is explicit or inferred', (_, facts, expected) => {
    expect(loss(facts)).toEqual(expected);
  });
});
