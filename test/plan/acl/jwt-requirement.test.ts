import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  enforcesJwt,
  isOurJwtProvider,
  type UserRequirementInput,
  userRequirement,
} from '../../../src/plan/acl/jwt-requirement.js';
import { hostileText, ISSUER, loginProvider } from './acl-scene.js';

function require(
  changes: Partial<UserRequirementInput> = {},
  shape: Partial<UserRequirementInput['shape']> = {},
) {
  const { claims, person } = loginProvider();
  return userRequirement({
    owner: 'pay',
    provider: { name: 'main', issuer: ISSUER, audience: 'orders', jwksUri: `${ISSUER}/certs` },
    shape: { claims, person, scopes: { claim: ['scope'], isList: false }, ...shape },
    consulVersion: '1.16.1',
    protocol: 'http',
    clientId: 'web',
    scope: 'orders:write',
    actsForHuman: false,
    ...changes,
  });
}

const PERSON = { claim: ['sub_profile'], equals: 'user' };

describe('a required user', () => {
  test('has a token of the provider for its audience', () => {
    expect(require()).toEqual({
      kind: 'required',
      entry: {
        name: 'scopemesh-pay-main-_users',
        issuer: ISSUER,
        audiences: ['orders'],
        jwksUri: `${ISSUER}/certs`,
        meta: { scopemesh: 'scopemesh:pay' },
      },
      requirement: { provider: 'scopemesh-pay-main-_users', verifyClaims: [] },
    });
  });

  test.each<
    readonly [
      string,
      Partial<UserRequirementInput>,
      Partial<UserRequirementInput['shape']>,
      readonly unknown[],
    ]
  >([
    ['nothing of a scope that is a string with spaces', {}, {}, []],
    [
      'the scope where it is a list',
      {},
      { scopes: { claim: ['scp'], isList: true } },
      [{ path: ['scp'], value: 'orders:write' }],
    ],
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

  test('behind an agent is always claimed by client and actor, whatever the id', () => {
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

  test.each<readonly [string, Partial<UserRequirementInput>, RegExp]>([
    ['by a Consul before 1.16.1', { consulVersion: '1.16.0' }, /need Consul 1\.16\.1/],
    ['by the Consul whose version is not known', { consulVersion: '' }, /need Consul 1\.16\.1/],
    ['at a destination that speaks tcp', { protocol: 'tcp' }, /service-defaults/],
    [
      'without an audience',
      { provider: { name: 'main', issuer: ISSUER, audience: undefined, jwksUri: 'x' } },
      /audience/,
    ],
    ['without an issuer', { provider: { name: 'main', issuer: '', audience: 'a', jwksUri: 'x' } }, /issuer/],
    [
      'without a key set',
      { provider: { name: 'main', issuer: ISSUER, audience: 'a', jwksUri: undefined } },
      /key set/,
    ],
    ['for a scope that no list can hold', { scope: '' }, /half a surrogate|empty/],
  ])('cannot be enforced %s: the access stays closed', (_, changes, detail) => {
    const found = require(changes, { scopes: { claim: ['scp'], isList: true } });
    expect(found).toMatchObject({
      kind: 'held',
      reason: 'UserTokenUnenforceable',
      detail: expect.stringMatching(detail),
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

test('a jwt-provider is ours by its Meta, exactly', () => {
  expect(isOurJwtProvider('pay', { meta: { scopemesh: 'scopemesh:pay' } })).toBe(true);
  for (const meta of [{}, { scopemesh: 'scopemesh:payments' }, { owner: 'scopemesh:pay' }])
    expect(isOurJwtProvider('pay', { meta })).toBe(false);
});
