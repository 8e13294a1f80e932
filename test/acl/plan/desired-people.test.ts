import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DesiredPeople, desiredPeople, type PeopleInput } from '../../../src/acl/plan/desired-people.js';
import { NOTHING_DESIRED } from '../../../src/acl/plan/login.js';
import { hostileText, loginProvider, mapping, READ_CONFIG, settings, WRITE_ORDERS } from './acl-scene.js';
import { admits } from './selector-model.js';

const GROUPS = [
  { group: 'oncall', acl: READ_CONFIG },
  { group: 'admins', acl: WRITE_ORDERS },
];

function people(
  members: Record<string, readonly string[]> | undefined,
  changes: Partial<PeopleInput> = {},
): DesiredPeople {
  return desiredPeople({
    provider: 'main',
    mapping: mapping(),
    settings: settings({ groups: GROUPS }),
    members: members === undefined ? undefined : new Map(Object.entries(members)),
    ...changes,
  });
}

describe('a member of a mapped group', () => {
  const { desired } = people({ oncall: ['auth0|1', 'a@b.c'], admins: ['a@b.c'], other: ['mallory'] });

  test('has a role of their own for each group, with the rules of that group alone', () => {
    expect(desired?.authMethods.map(({ name }) => name)).toEqual(['scopemesh-pay-main-_people']);
    expect(desired?.roles).toHaveLength(3);
    for (const role of desired?.roles ?? []) {
      expect(role.name).toMatch(/^scopemesh-pay-main-_person-[0-9a-f]{40}$/);
      const rules = desired?.policies.find(({ name }) => name === role.policies[0])?.rules;
      expect(role.policies).toHaveLength(1);
      expect(rules).toContain(role.description.endsWith('group=oncall') ? 'config/' : 'orders');
    }
    expect(desired?.roles.map(({ description }) => description).toSorted()).toEqual([
      'scopemesh:pay person=main/a%40b.c group=admins',
      'scopemesh:pay person=main/a%40b.c group=oncall',
      'scopemesh:pay person=main/auth0%7C1 group=oncall',
    ]);
  });

  test('is admitted by their subject and the group in the token, both', () => {
    expect(desired?.bindingRules.map(({ selector }) => selector)).toContain(
      [
        '"subject" in value and value.subject == "auth0|1" and "groups" in list and "oncall" in list.groups',
        '"actor" not in value',
        '("subject_profile" not in value or value.subject_profile matches "(?i)(^| )user( |$)")',
      ].join(' and '),
    );
    expect(desired?.authMethods[0]?.config).toMatchObject({
      claimMappings: { act: 'actor', sub: 'subject', sub_profile: 'subject_profile' },
      listClaimMappings: { groups: 'groups' },
    });
  });

  test('is not an actor for them', () => {
    const [rule] = people({ oncall: ['alice'] }).desired?.bindingRules ?? [];
    const list = { groups: ['oncall'] };
    const says = (value: Record<string, string>) =>
      admits(rule?.selector ?? '', { value: { subject: 'alice', ...value }, list });
    expect(says({})).toBe(true);
    // Another shape than a plain value makes Consul refuse the login.
    for (const actor of ['agent', 'alice', '']) expect(says({ actor }), actor).toBe(false);
  });

  test('has the group in the token where tokens hold it, under the name that they give it', () => {
    const inToken = { claim: ['organization'], name: 'acme' };
    const groups = [
      { group: 'organization/acme', inToken, acl: READ_CONFIG },
      { group: 'oncall', acl: READ_CONFIG },
    ];
    const found = people(
      { 'organization/acme': ['x'], acme: ['mallory'] },
      { settings: settings({ groups }) },
    );
    expect(found.desired?.bindingRules.map(({ selector }) => selector)).toEqual([
      expect.stringContaining(
        'value.subject == "x" and "other_groups" in list and "acme" in list.other_groups',
      ),
    ]);
    // Whether or not somebody is in the other group.
    expect(found.desired?.authMethods[0]?.config.listClaimMappings).toEqual({
      groups: 'groups',
      organization: 'other_groups',
    });
    expect(found.desired?.roles[0]?.description).toContain('group=organization%2Facme');
  });

  test('binds to exactly the roles that the directory and the token give, for all names', () => {
    const memberships = fc.array(fc.tuple(hostileText, hostileText), { maxLength: 5 });
    fc.assert(
      fc.property(
        memberships,
        hostileText,
        fc.array(hostileText, { maxLength: 3 }),
        (pairs, subject, groups) => {
          const of = new Map<string, string[]>();
          for (const [group, member] of pairs) of.set(group, [...(of.get(group) ?? []), member]);
          const found = people(
            {},
            {
              members: of,
              settings: settings({ groups: [...of.keys()].map((group) => ({ group, acl: READ_CONFIG })) }),
            },
          ).desired;
          const subjects = [subject, ...pairs.map(([, member]) => member)];
          const groupsClaim = [...groups, ...pairs.slice(0, 2).map(([group]) => group)];
          for (const each of subjects) {
            const bound = (found?.bindingRules ?? []).filter(({ selector }) =>
              admits(selector, { value: { subject: each }, list: { groups: groupsClaim } }),
            );
            const expected = [...of].filter(
              ([group, members]) =>
                members.includes(each) &&
                groupsClaim.includes(group) &&
                [group, each].every((text) => text !== '' && text.isWellFormed()),
            );
            expect(new Set(bound.map(({ bindName }) => bindName)).size).toBe(bound.length);
            expect(bound).toHaveLength(expected.length);
          }
          for (const { selector } of found?.bindingRules ?? []) {
            expect(admits(selector, { value: { subject }, list: {} })).toBe(false);
            expect(admits(selector, { value: {}, list: { groups: groupsClaim } })).toBe(false);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('who left has no role any more, and others keep theirs', () => {
    const later = people({ oncall: ['auth0|1'], admins: [] }).desired;
    expect(later?.roles).toEqual(desired?.roles.filter(({ description }) => description.includes('auth0')));
  });

  test('must also prove to be a person, if the provider shows it', () => {
    const { desired: strict } = people(
      { oncall: ['1'] },
      {
        settings: settings({
          groups: GROUPS,
          providers: new Map([['main', loginProvider({ person: { claim: ['idtyp'], equals: 'user' } })]]),
        }),
      },
    );
    expect(strict?.bindingRules[0]?.selector).toMatch(/ and "person" in value and value\.person == "user"$/);
    expect(strict?.authMethods[0]?.config.claimMappings).toEqual({
      act: 'actor',
      idtyp: 'person',
      sub: 'subject',
    });
  });
});

describe('the auth method for people', () => {
  test('lives as long as people may hold a token', () => {
    const limits = { ...mapping().limits, human: { never: [], maxTokenTtlSeconds: 28_800 } };
    const ttl = (changes: Partial<PeopleInput>) =>
      people({ oncall: ['1'] }, changes).desired?.authMethods[0]?.maxTokenTtlSeconds;
    expect(ttl({})).toBe(86_400);
    expect(ttl({ mapping: mapping({ limits }) })).toBe(28_800);
  });

  test.each([
    ['without groups', { settings: settings() }, []],
    ['without members', { members: new Map() }, []],
    [
      'without an audience',
      {
        settings: settings({
          groups: GROUPS,
          providers: new Map([['main', loginProvider({ audience: undefined })]]),
        }),
      },
      ['LoginUnverifiable'],
    ],
    [
      'where people may hold a token for less than a minute',
      {
        mapping: mapping({
          limits: { ...mapping().limits, human: { never: [], maxTokenTtlSeconds: 30 } },
        }),
      },
      ['LifetimeTooShort'],
    ],
    [
      'for groups of another provider',
      { settings: settings({ groups: [{ group: 'oncall', acl: READ_CONFIG, provider: 'x' }] }) },
      [],
    ],
    ['where it is not said of which provider', { mapping: mapping({ providers: ['main', 'x'] }) }, []],
    [
      'for rules that cannot be read',
      { settings: settings({ groups: [{ group: 'oncall', acl: 'x' }] }) },
      ['InvalidRules'],
    ],
    [
      'for rules with captures',
      { settings: settings({ groups: [{ group: 'oncall', acl: 'key "{name}" { policy = "read" }' }] }) },
      ['InvalidRules'],
    ],
  ])('is not there %s', (_, changes, reasons) => {
    const { desired, holds } = people({ oncall: ['1'] }, changes);
    expect(desired).toEqual(NOTHING_DESIRED);
    expect(holds.map(({ reason }) => reason)).toEqual(reasons);
  });

  test('leaves out people that Consul cannot compare, with their name and what to do', () => {
    const { desired, holds } = people({ oncall: ['ann', ''], admins: ['a\ud800'] });
    expect(desired?.roles).toHaveLength(1);
    expect(holds.map(({ reason }) => reason)).toEqual(['InvalidClientId', 'InvalidClientId']);
    expect(holds.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^"" in the group "oncall" is left out.*; rename /),
      expect.stringMatching(/^"a\\ud800" in the group "admins" is left out.*; rename /),
    ]);
  });

  test('is kept as it is while the members are not known', () => {
    const { desired, holds } = people(undefined);
    expect(desired).toBeUndefined();
    expect(holds.map(({ reason }) => reason)).toEqual(['IncompleteRead']);
  });
});
