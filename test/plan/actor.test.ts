import { describe, expect, test } from 'vitest';
import { admitsKind, classify, mayUseScope, needsHuman } from '../../src/plan/actor.js';
import { client, mapping } from './scene.js';

describe('the kind of a client', () => {
  const classes = mapping({
    classify: [
      { attribute: 'actor', equals: 'agent', kind: 'agent' },
      { clientId: 'bot-*', kind: 'workload' },
      { clientId: 'bot-1', kind: 'human' },
      { attribute: 'constructor', equals: 'x', kind: 'agent' },
    ],
  });
  test.each([
    ['the first class that matches decides', client('bot-1', []), 'workload'],
    ['an attribute decides', client('x', [], { attributes: { actor: 'agent' } }), 'agent'],
    [
      'another value of the attribute does not',
      client('x', [], { attributes: { actor: 'Agent' } }),
      'workload',
    ],
    [
      'signing people in makes a human',
      client('x', [], { grantTypes: ['client_credentials', 'authorization_code'] }),
      'human',
    ],
    ['client credentials alone make a workload', client('x', []), 'workload'],
    [
      'what the identity provider itself says comes before grant types',
      client('x', [], { actorKind: 'agent' }),
      'agent',
    ],
    [
      'a class comes before what the identity provider says',
      client('bot-2', [], { actorKind: 'human' }),
      'workload',
    ],
    ['no grant type makes nothing known', client('x', [], { grantTypes: [] }), 'unknown'],
  ])('%s', (_, subject, kind) => {
    expect(classify(subject, classes)).toBe(kind);
  });
});

describe('a client of unknown kind', () => {
  const limits = {
    human: { never: [] },
    workload: { never: ['people:*'] },
    agent: { never: ['*:admin'], onBehalfOf: 'human' as const },
  };
  test('may use only the scopes that every kind may', () => {
    expect(mayUseScope('unknown', 'a:admin', { limits })).toBe(false);
    expect(mayUseScope('unknown', 'people:read', { limits })).toBe(false);
    expect(mayUseScope('unknown', 'a:read', { limits })).toBe(true);
    expect(mayUseScope('human', 'a:admin', { limits })).toBe(true);
  });
  test('is admitted only where every kind is listed', () => {
    expect(admitsKind(['human', 'workload'], 'unknown')).toBe(false);
    expect(admitsKind(['human', 'workload', 'agent'], 'unknown')).toBe(true);
    expect(admitsKind(undefined, 'unknown')).toBe(true);
    expect(admitsKind(['human'], 'workload')).toBe(false);
  });
  test('needs a human where any kind does', () => {
    expect(needsHuman('unknown', { limits })).toBe(true);
    expect(needsHuman('human', { limits })).toBe(false);
  });
});
