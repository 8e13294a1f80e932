import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { aclSubject, digestObject } from '../../../src/acl/plan/acl-change.js';
import { type PeoplePlan, planPeople } from '../../../src/acl/plan/plan-people.js';
import type { Evidence } from '../../../src/model/trigger.js';
import { peopleName, personName } from '../../../src/plan/object-names.js';
import { runsOf } from '../../support/soak.js';
import { hostileText, ISSUER, loginProvider, mapping, settings } from './acl-scene.js';
import { AclStore, type Principal } from './acl-store.js';

const OWNER = 'pay';
const RULES = {
  oncall: 'service_prefix "" { policy = "read" }',
  'ops/a b': 'operator = "read"',
  Oncall: 'key_prefix "config/" { policy = "read" }',
} as const;
type Group = keyof typeof RULES;
const GROUPS = Object.keys(RULES) as Group[];
const SUBJECTS = ['auth0|1', 'a@b.c', 'A@B.C', 'web', 'x y/z person=q group=r', '%2F', 'x'.repeat(200)];

/** One look at the world: who belongs where (undefined: it cannot be read), and which groups are mapped. */
interface Look {
  readonly members: ReadonlyMap<string, readonly string[]> | undefined;
  readonly groups: readonly Group[];
  readonly named: readonly string[];
}

const someLook: fc.Arbitrary<Look> = fc.record({
  members: fc.option(
    fc
      .record(
        Object.fromEntries(GROUPS.map((group) => [group, fc.subarray(SUBJECTS)])) as Record<
          Group,
          fc.Arbitrary<string[]>
        >,
      )
      .map((all) => new Map(Object.entries(all))),
    { nil: undefined, freq: 6 },
  ),
  groups: fc.subarray(GROUPS, { minLength: 1 }),
  named: fc.subarray(SUBJECTS),
});

const everybody: readonly Principal[] = [...SUBJECTS, 'mallory'].flatMap((sub) =>
  [GROUPS, ['oncall'], ['Oncall'], ['ops/a b', 'else'], []].map((groups) => ({
    issuer: ISSUER,
    audience: 'consul',
    claims: { azp: 'portal', sub, groups },
  })),
);

/** The people of one provider through a history of looks. */
class People {
  readonly store = new AclStore();
  readonly #acl = new AclState();
  readonly #lastApplied = new Map<string, string>();

  plan(look: Look, kept: ReadonlySet<string> = new Set(), evidence: readonly Evidence[] = []): PeoplePlan {
    return planPeople(
      {
        provider: 'main',
        mapping: mapping({
          acl: settings({
            groups: look.groups.map((group) => ({ group, acl: RULES[group] })),
            providers: new Map([['main', loginProvider()]]),
          }),
        }),
        members: look.members,
        actual: this.store.snapshot(),
        lastApplied: this.#lastApplied,
        evidence,
        grantReason: 'MembershipAdded',
        plansNarrowing: true,
        kept,
      },
      this.#acl,
    );
  }

  carryOut(plan: PeoplePlan): void {
    for (const { step, subject } of plan.changes) {
      this.store.take(step);
      if (step.do === 'write') this.#lastApplied.set(subject, digestObject(step.object));
      else this.#lastApplied.delete(subject);
    }
  }
}

/** Whose role it is, and by which group; found by trying all. */
function ownerOf(role: string): { subject: string; group: Group } {
  for (const subject of SUBJECTS)
    for (const group of GROUPS)
      if (personName(OWNER, 'main', subject, group) === role) return { subject, group };
  throw new Error(`a role without a person: ${role}`);
}

const namesOf = (store: AclStore, ids: readonly string[]) =>
  ids.flatMap((id) => store.roles.get(id)?.name ?? []);

describe('the people of a provider', () => {
  it('have, with every live token, only what directory, token and mapping all give, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(someLook, { minLength: 1, maxLength: 5 }), (looks) => {
        const people = new People();
        const { store } = people;
        let known: Look['members'];
        for (const look of looks) {
          const before = new Map([...store.roles.values()].map(({ name }) => [name, ownerOf(name)]));
          people.carryOut(people.plan(look));
          expect(people.plan(look).changes).toEqual([]);
          known = look.members ?? known;
          store.mint(everybody);
          for (const { principal, roles } of store.tokens.values()) {
            const { sub, groups } = principal.claims;
            for (const name of namesOf(store, roles)) {
              const { subject, group } = ownerOf(name);
              expect(sub).toBe(subject);
              expect(groups).toContain(group);
              expect(look.groups).toContain(group);
              if (look.members !== undefined) expect(look.members.get(group)).toContain(subject);
              // Not known: existing people may stay, and no others.
              else expect(before.get(name)).toEqual({ subject, group });
            }
          }
          if (look.members === undefined) continue;
          for (const principal of everybody) {
            const { sub, groups } = principal.claims;
            const due = look.groups.filter(
              (group) => groups?.includes(group) && look.members?.get(group)?.includes(String(sub)),
            );
            const got = namesOf(store, store.login(peopleName(OWNER, 'main'), principal) ?? []);
            expect(got.map((name) => ownerOf(name).group).toSorted()).toEqual(due.toSorted());
          }
        }
      }),
      runsOf(60, 20),
    );
  });

  it('of a group that cannot be read stay, and nobody joins it; other groups change', () => {
    const people = new People();
    const look = (members: Look['members']): Look => ({ members, groups: ['oncall', 'Oncall'], named: [] });
    people.carryOut(
      people.plan(
        look(
          new Map([
            ['oncall', ['web']],
            ['Oncall', ['web']],
          ]),
        ),
      ),
    );
    const unreadable = { subjects: new Set<string>(), groups: new Set(['oncall']), hasUnnamed: false };
    const members = new Map([
      ['oncall', ['auth0|1']],
      ['Oncall', ['auth0|1']],
    ]);
    people.carryOut(people.plan(look(Object.assign(members, { unreadable }))));
    const has = [...people.store.roles.values()].map(({ name }) => ownerOf(name));
    expect(has).toHaveLength(2);
    expect(has).toContainEqual({ subject: 'web', group: 'oncall' });
    expect(has).toContainEqual({ subject: 'auth0|1', group: 'Oncall' });
  });

  it('who are held keep what they hold, and everybody else who is missing goes', () => {
    fc.assert(
      fc.property(someLook, someLook, fc.nat(), (first, second, pick) => {
        fc.pre(first.members !== undefined && second.members !== undefined);
        const look = { ...second, groups: first.groups };
        const people = new People();
        people.carryOut(people.plan(first));
        people.store.mint(everybody);
        const lost = [...people.plan(look).inferred.keys()];
        const kept = new Set(lost.filter((_, at) => (at + pick) % 2 === 0));
        // A token that has a lost role beside a held one ends: its holder logs in again for the rest.
        const held = [...people.store.tokens.values()].filter(({ roles }) =>
          namesOf(people.store, roles).every((name) => kept.has(name) || !lost.includes(name)),
        );
        people.carryOut(people.plan(look, kept));
        for (const { accessorId } of held) expect(people.store.tokens.has(accessorId)).toBe(true);
        const existingRoles = new Set([...people.store.roles.values()].map(({ name }) => name));
        for (const name of lost) expect(existingRoles.has(name)).toBe(kept.has(name));
        expect(people.plan(look, kept).changes).toEqual([]);
      }),
      runsOf(50, 20),
    );
  });

  it('are inferred removals unless an event names the person or the group, and never for what the file changed', () => {
    fc.assert(
      fc.property(someLook, someLook, fc.subarray(GROUPS), (first, look, namedGroups) => {
        fc.pre(first.members !== undefined && look.members !== undefined);
        const people = new People();
        people.carryOut(people.plan(first));
        const evidence: Evidence[] = [
          { provider: 'main', people: look.named },
          { provider: 'main', groups: namedGroups },
          { provider: 'other', people: SUBJECTS, groups: GROUPS },
        ];
        const plan = people.plan(look, new Set(), evidence);
        for (const { resource, reason, isInferred, person, verb } of plan.changes) {
          if (resource.kind !== 'acl-role' || verb !== 'deleted') continue;
          const { subject, group } = ownerOf(resource.name ?? '');
          expect(person).toEqual({ provider: 'main', subject, group, actorKind: 'human' });
          const isMapped = look.groups.includes(group);
          expect(reason).toBe(isMapped ? 'MembershipRemoved' : 'MappingChanged');
          expect(isInferred).toBe(isMapped && !look.named.includes(subject) && !namedGroups.includes(group));
        }
        const method = plan.changes.find(({ resource }) => resource.kind === 'acl-auth-method');
        if (method?.verb === 'deleted') expect(method.isInferred).toBe(plan.inferred.size > 0);
      }),
      runsOf(60, 20),
    );
  });

  it('have names and Descriptions that nobody can choose to be another’s, whatever the subject and group', () => {
    fc.assert(
      fc.property(hostileText, hostileText, hostileText, hostileText, (subject, group, other, otherGroup) => {
        fc.pre(subject !== other || group !== otherGroup);
        expect(personName(OWNER, 'main', subject, group)).not.toBe(
          personName(OWNER, 'main', other, otherGroup),
        );
        expect(aclSubject('acl-role', personName(OWNER, 'main', subject, group))).toMatch(
          /^acl-role\/[\w-]+$/,
        );
      }),
    );
  });

  it('have their rules corrected where somebody edited them, and that is called drift', () => {
    const people = new People();
    const look: Look = { members: new Map([['oncall', ['ann']]]), groups: ['oncall'], named: [] };
    people.carryOut(people.plan(look));
    const [role] = people.store.roles;
    if (role === undefined) throw new Error('no role');
    people.store.roles.set(role[0], { ...role[1], serviceIdentities: ['vault'] });
    const [change, ...more] = people.plan(look).changes;
    expect(more).toEqual([]);
    expect(change).toMatchObject({ reason: 'DriftCorrected', narrows: true, isInferred: false });
    expect(change?.person?.subject).toBe('ann');
  });
});
