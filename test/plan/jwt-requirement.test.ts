import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  enforcesJwt,
  isOurJwtProvider,
  providerOfEntry,
  type UserRequirementInput,
  userRequirement,
} from '../../src/plan/jwt-requirement.js';
import { hostileText, ISSUER, loginProvider } from '../acl/plan/acl-scene.js';

function require(
  changes: Partial<UserRequirementInput> = {},
  shape: Partial<UserRequirementInput['provider']> = {},
) {
  return userRequirement({
    owner: 'pay',
    provider: loginProvider({ audience: 'consul', userAudience: 'orders', ...shape }),
    jwksUri: `${ISSUER}/certs`,
    consulVersion: '1.16.1',
    laxAgents: [],
    isBehindGateway: false,
    protocol: 'http',
    clientId: 'web',
    actsForHuman: false,
    ...changes,
  });
}

const PERSON = { claim: ['sub_profile'], equals: 'user' };

describe('a required user', () => {
  test('has a token of the provider for the audience of users, which need not be the one for Consul', () => {
    expect(require()).toEqual({
      kind: 'required',
      entry: {
        name: 'scopemesh-pay-main-_users',
        issuer: ISSUER,
        audiences: ['orders'],
        jwksUri: `${ISSUER}/certs`,
        meta: { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'main' },
      },
      requirement: { provider: 'scopemesh-pay-main-_users', verifyClaims: [] },
    });
  });

  test('has keys whose server is verified by what is trusted on the machines of the proxies', () => {
    expect(require({}, { keysCaFile: '/ca.pem' })).toMatchObject({ entry: { caFile: '/ca.pem' } });
  });

  test('is forwarded in the header that the provider names', () => {
    expect(require({}, { forwardUserAs: 'x-user' })).toMatchObject({ entry: { forwardHeader: 'x-user' } });
    expect(require()).not.toHaveProperty('entry.forwardHeader');
  });

  test.each<
    readonly [
      string,
      Partial<UserRequirementInput>,
      Partial<UserRequirementInput['provider']>,
      readonly unknown[],
    ]
  >([
    ['nothing of a scope that is a string with spaces', {}, {}, []],
    ['the person where tokens tell', {}, { person: PERSON }, [{ path: ['sub_profile'], value: 'user' }]],
    [
      'the agent and for whom it acts',
      { actsForHuman: true, clientId: 'bot' },
      { person: PERSON },
      [
        { path: ['sub_profile'], value: 'user' },
        { path: ['azp'], value: 'bot' },
        { path: ['act', 'sub'], value: 'bot' },
      ],
    ],
  ])('shows %s', (_, changes, shape, claims) => {
    const found = require(changes, shape);
    expect(found.kind === 'required' && found.requirement.verifyClaims).toEqual(claims);
  });

  test('of an agent is always required by client and actor, for every ID', () => {
    fc.assert(
      fc.property(hostileText, (clientId) => {
        const found = require({ actsForHuman: true, clientId });
        if (clientId === '' || !clientId.isWellFormed()) expect(found.kind).toBe('held');
        else
          expect(found.kind === 'required' && found.requirement.verifyClaims).toEqual([
            { path: ['azp'], value: clientId },
            { path: ['act', 'sub'], value: clientId },
          ]);
      }),
    );
  });

  test.each<
    readonly [string, Partial<UserRequirementInput>, Partial<UserRequirementInput['provider']>, RegExp]
  >([
    ['by a Consul before 1.16.1', { consulVersion: '1.16.0' }, {}, /Consul to 1\.16\.1/],
    ['by a Consul whose version says nothing', { consulVersion: '' }, {}, /Consul to 1\.16\.1/],
    ['by an agent before 1.16.1', { laxAgents: ['1.15.3', ''] }, {}, /1\.15\.3, \(unknown\) .*force-leave/],
    ['at a destination that speaks tcp', { protocol: 'tcp' }, {}, /service-defaults/],
    ['without an audience', {}, { userAudience: undefined }, /audience/],
    ['with an empty audience', {}, { userAudience: '' }, /audience/],
    ['without an issuer', {}, { issuer: '' }, /issuer/],
    ['for a client that no claim can hold', { actsForHuman: true, clientId: '' }, {}, /empty/],
    [
      'where tokens list their scopes, which Consul compares as one text',
      {},
      { scopes: { claim: ['scp'], isList: true } },
      /list their scopes in scp.*claims\.scopes/,
    ],
  ])('cannot be enforced %s: the access stays closed', (_, changes, provider, detail) => {
    const found = require(changes, provider);
    expect(found).toMatchObject({
      kind: 'held',
      reason: 'UserTokenUnenforceable',
      detail: expect.stringMatching(detail),
    });
    expect(found).not.toHaveProperty('stays');
  });

  test.each<readonly [string, Partial<UserRequirementInput>, RegExp]>([
    ['the version of Consul', { consulVersion: undefined }, /version of Consul or .* is unknown/],
    ['the versions of its agents', { laxAgents: undefined }, /of its agents is unknown/],
    ["the address of the provider's keys", { jwksUri: undefined }, /discovery document/],
  ])('is not added while %s is not known, and what exists with it stays', (_, changes, detail) => {
    const known = require({ actsForHuman: true });
    expect(require({ actsForHuman: true, ...changes })).toMatchObject({
      kind: 'held',
      reason: 'UserTokenUnenforceable',
      detail: expect.stringMatching(detail),
      stays: known.kind === 'required' ? known.requirement : 'nothing',
    });
  });

  test.each(['http', 'http2', 'grpc'] as const)(
    'can be enforced where the destination speaks %s',
    (protocol) => {
      expect(require({ protocol }).kind).toBe('required');
    },
  );
});

describe('a version of Consul enforces JWT requirements', () => {
  test.each([
    ['1.14.11', false],
    ['1.16.0', false],
    ['1.16.1', true],
    ['v1.16.1+ent', true],
    ['1.16.1-rc1', false],
    ['1.16.2-dev', true],
    ['1.17.0', true],
    ['1.9.9', false],
    ['2.0.0', true],
    ['0.99.9', false],
    ['1.16', false],
    ['1.16.1; DROP', false],
    ['latest', false],
  ])('%j: %j', (version, expected) => {
    expect(enforcesJwt(version)).toBe(expected);
  });
});

test('a jwt-provider says whose it is about', () => {
  expect(providerOfEntry({ meta: { 'scopemesh-provider': 'main' } })).toBe('main');
  expect(providerOfEntry({ meta: {} })).toBeUndefined();
});

test('a jwt-provider is ours by its Meta, exactly', () => {
  expect(isOurJwtProvider('pay', { meta: { scopemesh: 'scopemesh:pay' } })).toBe(true);
  for (const meta of [{}, { scopemesh: 'scopemesh:payments' }, { owner: 'scopemesh:pay' }])
    expect(isOurJwtProvider('pay', { meta })).toBe(false);
});
