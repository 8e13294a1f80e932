import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { desiredPeople } from '../../../src/acl/plan/desired-people.js';
import { personOfRole, providerOfPeople } from '../../../src/acl/plan/person.js';
import { personName } from '../../../src/plan/object-names.js';
import { hostileText, loginProvider, mapping, settings } from './acl-scene.js';

const ACL = 'key_prefix "config/" { policy = "read" }';

function people(subject: string, group: string, owner = 'pay', provider = 'main') {
  const { desired } = desiredPeople({
    provider,
    mapping: mapping({ owner, providers: [provider] }),
    settings: settings({
      groups: [{ group, acl: ACL }],
      providers: new Map([[provider, loginProvider({ name: provider })]]),
    }),
    members: new Map([[group, [subject]]]),
  });
  return desired ?? { roles: [], authMethods: [] };
}

describe('the person of a role', () => {
  test('is the person for whom it was created, for all names that fit into the Description', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (subject, group) => {
        const [role] = people(subject, group).roles;
        if (role === undefined) return;
        const isMarked = role.description !== 'scopemesh:pay';
        expect(personOfRole('pay', 'main', role)).toEqual(isMarked ? { subject, group } : {});
        expect(providerOfPeople('pay', role)).toBe(isMarked ? 'main' : undefined);
        for (const [owner, provider] of [
          ['pay', 'other'],
          ['pays', 'main'],
        ] as const)
          expect(personOfRole(owner, provider, role)).toBeUndefined();
      }),
    );
  });

  test('is not known where somebody wrote another one into its Description', () => {
    const [role] = people('ann', 'oncall').roles;
    const forged = { name: role?.name ?? '', description: 'scopemesh:pay person=main/ben group=oncall' };
    expect(personOfRole('pay', 'main', forged)).toEqual({});
    expect(
      personOfRole('pay', 'main', { ...forged, description: 'scopemesh:pay person=%E0%A4 group=x' }),
    ).toEqual({});
    expect(personOfRole('pay', 'main', { ...forged, description: 'Mine' })).toBeUndefined();
  });

  test('is of one provider alone where names are too long to hold the provider', () => {
    const [owner, one, two] = ['o'.repeat(60), `a${'p'.repeat(60)}`, `b${'p'.repeat(60)}`];
    const [role] = people('ann', 'oncall', owner, one).roles;
    if (role === undefined) throw new Error('no role');
    expect(role.name).toBe(personName(owner, one, 'ann', 'oncall'));
    expect(role.name).not.toContain(one);
    expect(personOfRole(owner, one, role)).toEqual({ subject: 'ann', group: 'oncall' });
    expect(personOfRole(owner, two, role)).toBeUndefined();
    expect(personOfRole(owner, two, { ...role, description: `scopemesh:${owner}` })).toBeUndefined();
  });

  test('has a provider by the auth method of people, and no client’s objects are a person’s', () => {
    const [method] = people('ann', 'oncall').authMethods;
    if (method === undefined) throw new Error('no method');
    expect(providerOfPeople('pay', method)).toBe('main');
    expect(providerOfPeople('pay', { ...method, name: 'scopemesh-pay-other-_people' })).toBeUndefined();
    const client = { name: 'scopemesh-pay-main-web', description: 'scopemesh:pay client=main/web' };
    expect([providerOfPeople('pay', client), personOfRole('pay', 'main', client)]).toEqual([
      undefined,
      undefined,
    ]);
  });
});
