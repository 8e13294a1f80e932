import { describe, expect, it } from 'vitest';
import { AclState } from '../../../../src/acl/apply/acl-state.js';
import { digestObject } from '../../../../src/acl/plan/acl-change.js';
import {
  existingMembers,
  groupsOf,
  isPeoples,
  type PeoplePlan,
  planPeople,
  withExisting,
} from '../../../../src/acl/plan/plan-people.js';
import type { Members } from '../../../../src/model/members.js';
import type { Mapping } from '../../../../src/model/rule.js';
import type { Evidence } from '../../../../src/model/trigger.js';
import { peopleName, personName } from '../../../../src/plan/object-names.js';
import { loginProvider, mapping, settings } from '../acl-scene.js';
import { AclStore } from '../acl-store.js';

const READ = 'service_prefix "" { policy = "read" }';
const roleOf = (subject: string, group: string) => personName('pay', 'main', subject, group).toLowerCase();
const withGroups = (...groups: readonly string[]): Mapping =>
  mapping({
    acl: settings({
      groups: groups.map((group) => ({ group, acl: READ })),
      providers: new Map([['main', loginProvider()]]),
    }),
  });
const members = (all: Readonly<Record<string, readonly string[]>>): Members => new Map(Object.entries(all));

/** Consul with these people, and what was written. */
class Fleet {
  readonly store = new AclStore();
  readonly written = new Map<string, string>();
  readonly #acl = new AclState();

  plan(
    of: Mapping,
    known: Members | undefined,
    changes: { evidence?: readonly Evidence[]; kept?: ReadonlySet<string> } = {},
  ): PeoplePlan {
    return planPeople(
      {
        provider: 'main',
        mapping: of,
        members: known,
        actual: this.store.snapshot(),
        lastApplied: this.written,
        evidence: [],
        grantReason: 'MembershipAdded',
        plansNarrowing: true,
        kept: new Set(),
        ...changes,
      },
      this.#acl,
    );
  }

  with(of: Mapping, known: Members): this {
    for (const { step, subject } of this.plan(of, known).changes) {
      this.store.take(step);
      if (step.do === 'write') this.written.set(subject, digestObject(step.object));
    }
    return this;
  }
}

const oncall = () =>
  new Fleet().with(withGroups('oncall', 'ops'), members({ oncall: ['ann', 'bob'], ops: ['ann'] }));
const deleted = ({ changes }: PeoplePlan, kind = 'acl-role') =>
  changes
    .filter(({ verb, resource }) => verb === 'deleted' && resource.kind === kind)
    .map(({ person, reason, isInferred }) => [person?.subject, person?.group, reason, isInferred]);

describe('people of whom the members of a group are unknown', () => {
  it('stay, and nobody joins them', () => {
    const plan = oncall().plan(withGroups('oncall', 'ops'), undefined);
    expect(plan).toMatchObject({ changes: [], isUnknown: true });
    expect([...plan.inferred]).toEqual([]);
    expect(
      oncall().plan(withGroups('oncall', 'ops'), members({ oncall: ['ann', 'bob'], ops: ['ann'] })),
    ).toMatchObject({
      changes: [],
      isUnknown: false,
    });
  });

  it('go at once where their group is not mapped any more', () => {
    expect(deleted(oncall().plan(withGroups('oncall'), undefined))).toEqual([
      ['ann', 'ops', 'MappingChanged', false],
    ]);
  });

  it('go all where no group is mapped, or the provider is not configured', () => {
    for (const of of [withGroups(), { ...withGroups('oncall', 'ops'), providers: ['other'] }]) {
      const plan = oncall().plan(of, members({}));
      expect(deleted(plan)).toHaveLength(3);
      for (const [, , reason, isInferred] of deleted(plan))
        expect([reason, isInferred]).toEqual(['MappingChanged', false]);
      expect(deleted(plan, 'acl-auth-method')).toHaveLength(1);
    }
  });
});

describe('people who left a group', () => {
  const both = withGroups('oncall', 'ops');
  const left = members({ oncall: ['ann'], ops: ['ann'] });

  it('lose its role by an inferred removal, unless an event of their provider names them or the group', () => {
    const by = (...evidence: readonly Evidence[]) => oncall().plan(both, left, { evidence });
    const expected = (isInferred: boolean) => [['bob', 'oncall', 'MembershipRemoved', isInferred]];
    expect(deleted(by())).toEqual(expected(true));
    expect([...by().inferred.keys()]).toEqual([roleOf('bob', 'oncall')]);
    for (const each of [{ people: ['bob'] }, { groups: ['oncall'] }]) {
      expect(deleted(by({ provider: 'main', ...each }))).toEqual(expected(false));
      expect(deleted(by({ provider: 'other', ...each }))).toEqual(expected(true));
      expect([...by({ provider: 'main', ...each }).inferred]).toEqual([]);
    }
    for (const each of [{ people: ['ann'] }, { groups: ['ops'] }])
      expect(deleted(by({ provider: 'main', ...each }))).toEqual(expected(true));
  });

  it('keep it while it is held, and the auth method stays with it', () => {
    const kept = new Set([roleOf('bob', 'oncall')]);
    expect(deleted(oncall().plan(both, left, { kept }))).toEqual([]);
    const none = members({ oncall: [], ops: [] });
    const some = oncall().plan(both, none, { kept });
    expect(deleted(some).map(([subject]) => subject)).toEqual(['ann', 'ann']);
    expect(deleted(some, 'acl-auth-method')).toEqual([]);
  });

  it('take the auth method with them when they were the last, inferred as they are', () => {
    const none = members({ oncall: [], ops: [] });
    const method = (plan: PeoplePlan) => deleted(plan, 'acl-auth-method');
    expect(method(oncall().plan(both, none))).toEqual([[undefined, undefined, 'MembershipRemoved', true]]);
    const evidence = [{ provider: 'main', groups: ['oncall', 'ops'] }];
    expect(method(oncall().plan(both, none, { evidence }))).toEqual([
      [undefined, undefined, 'MembershipRemoved', false],
    ]);
    expect(method(oncall().plan(both, left))).toEqual([]);
  });
});

describe('an object of people', () => {
  const both = withGroups('oncall', 'ops');
  const known = members({ oncall: ['ann', 'bob'], ops: ['ann'] });
  const first = <T>(all: ReadonlyMap<string, T>): readonly [string, T] => {
    const [found] = all;
    if (found === undefined) throw new Error('there is none');
    return found;
  };

  it('that somebody edited is drift, and names no person where it is of all', () => {
    const fleet = oncall();
    const [id, method] = first(fleet.store.methods);
    fleet.store.methods.set(id, { ...method, config: { ...method.config, boundAudiences: ['x'] } });
    const corrected = () => {
      const all = fleet
        .plan(both, known)
        .changes.filter(({ resource }) => resource.kind === 'acl-auth-method');
      return all.map(({ reason, isInferred, person }) => [reason, isInferred, person]);
    };
    expect(new Set(corrected().map(String))).toEqual(new Set(['DriftCorrected,false,']));
    fleet.written.clear();
    // It is deleted, which ends its tokens, and made again.
    expect(corrected().map(String)).toEqual(['MappingChanged,false,', 'MembershipAdded,false,']);
  });

  it('that grants the role of a person is of that person', () => {
    const fleet = oncall();
    const [id, rule] = first(fleet.store.rules);
    fleet.store.rules.set(id, { ...rule, selector: 'value.x == y' });
    const [change] = fleet.plan(both, known).changes;
    expect(change).toMatchObject({
      reason: 'DriftCorrected',
      person: { provider: 'main', actorKind: 'human' },
    });
  });

  it('is made for the reason of the grant, with its person', () => {
    const created = oncall().plan(both, members({ oncall: ['ann', 'bob', 'eve'], ops: ['ann'] })).changes;
    expect(
      created.map(({ resource, reason, isInferred, person }) => [
        resource.kind,
        reason,
        isInferred,
        person?.subject,
      ]),
    ).toEqual([
      ['acl-role', 'MembershipAdded', false, 'eve'],
      ['acl-binding-rule', 'MembershipAdded', false, 'eve'],
    ]);
  });

  it('is found by its name in any case, or by its Description', () => {
    const of = (name: string, description = '') => isPeoples('pay', 'main', name, description);
    expect(of(peopleName('pay', 'main'))).toBe(true);
    expect(of(peopleName('pay', 'main').toUpperCase())).toBe(true);
    expect(of(personName('pay', 'main', 'ann', 'ops'))).toBe(true);
    expect(of('scopemesh-pay-main-web', 'scopemesh:pay client=main/web')).toBe(false);
    expect(of(peopleName('pay', 'other'))).toBe(false);
    expect(of('')).toBe(false);
  });
});

describe('the groups of a provider', () => {
  it('are those that name it, and those that name none where it is the only one', () => {
    const acl = settings({
      groups: [
        { group: 'a', acl: READ },
        { group: 'b', acl: READ, provider: 'far' },
      ],
    });
    expect(groupsOf(mapping({ acl }), 'main')).toEqual(['a']);
    expect(groupsOf(mapping({ acl }), 'far')).toEqual(['b']);
    expect(groupsOf(mapping({ acl, providers: ['main', 'far'] }), 'main')).toEqual([]);
  });
});

describe('the members of a provider, with what exists', () => {
  const existing = members({ oncall: ['ann', 'bob', 'eve'] });
  const unreadable = { subjects: new Set<string>(), groups: new Set<string>(), hasUnnamed: false };
  const of = (
    known: Readonly<Record<string, readonly string[]>>,
    changes: Partial<NonNullable<Members['unreadable']>>,
  ) =>
    Object.fromEntries(
      withExisting(
        Object.assign(new Map(Object.entries(known)), { unreadable: { ...unreadable, ...changes } }),
        existing,
      ),
    );

  it('are as read where everything can be read', () => {
    const known = members({ oncall: ['ann'] });
    expect(withExisting(known, existing)).toBe(known);
    expect(of({ oncall: ['ann'], ops: [] }, {})).toEqual({ oncall: ['ann'], ops: [] });
  });

  it('keep the members of an unreadable group, and gain none', () => {
    const groups = new Set(['oncall', 'ops']);
    expect(of({ oncall: ['new'], ops: ['new'] }, { groups })).toEqual({
      oncall: ['ann', 'bob', 'eve'],
      ops: [],
    });
  });

  it('keep an unreadable person where that person is, and nowhere else', () => {
    const subjects = new Set(['bob', 'new']);
    expect(of({ oncall: ['ann', 'new'], ops: ['bob'] }, { subjects })).toEqual({
      oncall: ['ann', 'bob'],
      ops: [],
    });
  });

  it('keep everybody where a record names nobody, and everybody whom a question still finds', () => {
    expect(of({ oncall: ['new'] }, { hasUnnamed: true })).toEqual({ oncall: ['new', 'ann', 'bob', 'eve'] });
    const unlisted = new Map([['oncall', new Set(['eve'])]]);
    expect(of({ oncall: ['ann'], ops: [] }, { unlisted })).toEqual({ oncall: ['ann', 'eve'], ops: [] });
  });

  it('exist where a binding rule grants their role', () => {
    const { store } = oncall();
    const facts = { mapping: withGroups('oncall', 'ops'), provider: 'main' };
    const found = () => Object.fromEntries(existingMembers({ ...facts, actual: store.snapshot() }));
    expect(found()).toEqual({ oncall: expect.arrayContaining(['ann', 'bob']), ops: ['ann'] });
    for (const [id, { bindName }] of store.rules)
      if (bindName.toLowerCase() === roleOf('ann', 'ops')) store.rules.delete(id);
    expect(found()).toEqual({ oncall: expect.arrayContaining(['ann', 'bob']) });
    expect(existingMembers({ ...facts, provider: 'far', actual: store.snapshot() }).size).toBe(0);
  });
});
