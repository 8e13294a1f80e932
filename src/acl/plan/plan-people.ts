import type { AclObject, AclSnapshot } from '../../model/acl.js';
import type { ChangeReason, DecidedPerson } from '../../model/decision.js';
import type { GroupRules } from '../../model/login.js';
import type { Members } from '../../model/members.js';
import type { Mapping } from '../../model/rule.js';
import type { Evidence } from '../../model/trigger.js';
import type { WritePolicy } from '../../plan/mode.js';
import { peopleName } from '../../plan/object-names.js';
import { type AclChangeContext, type AclPlan, aclSubject, digestObject, nameOf } from './acl-change.js';
import { desiredPeople } from './desired-people.js';
import { diffAcl } from './diff-acl.js';
import { type DesiredAcl, NOTHING_DESIRED, objectsOf } from './login.js';
import { hasPersonName, type PersonRole, personOfRole } from './person.js';
import { withoutLogins } from './redirected-issuer.js';
import type { AclRules } from './rules-text.js';

/** The input of the plan of one provider's people. */
export interface PeopleFacts extends Pick<WritePolicy, 'plansNarrowing'> {
  readonly provider: string;
  readonly mapping: Mapping;
  /** Members of all mapped groups; undefined while they were not read. */
  readonly members: Members | undefined;
  /** The objects of the provider's people and their desired policies, also without the mark. */
  readonly actual: AclSnapshot;
  readonly lastApplied: ReadonlyMap<string, string>;
  readonly evidence: readonly Evidence[];
  readonly grantReason: ChangeReason;
  /** Roles, in lower case, whose removal is held. */
  readonly kept: ReadonlySet<string>;
  /** The discovery document of the provider redirects. */
  readonly redirects?: boolean;
}

export interface PeoplePlan extends AclPlan {
  readonly desired: DesiredAcl;
  /** Roles, in lower case, that would be removed only because a read did not show the membership. */
  readonly inferred: ReadonlyMap<string, PersonRole>;
  /** The members are unknown, so the people with roles count as members. */
  readonly isUnknown: boolean;
}

/**
 * The plan of the people of one provider. While the members are unknown, the people with roles count as members: nobody is
 * added or removed. But a group that is no longer configured is removed at once.
 */
export function planPeople(
  facts: PeopleFacts,
  acl: { tools(mapping: Mapping): { readonly parse: (text: string) => AclRules } },
): PeoplePlan {
  const { provider, mapping, actual, lastApplied, kept } = facts;
  const { owner } = mapping;
  const isConfigured = mapping.providers.includes(provider);
  const desire = (members: Members | undefined) =>
    desiredPeople({ provider, mapping, settings: mapping.acl, members, parse: acl.tools(mapping).parse });
  const asked = isConfigured
    ? desire(facts.members && withExisting(facts.members, existingMembers(facts)))
    : { desired: NOTHING_DESIRED, holds: [] };
  const isUnknown = asked.desired === undefined;
  const desired = asked.desired ?? desire(existingMembers(facts)).desired ?? NOTHING_DESIRED;

  const people = new Map(
    actual.roles.flatMap(({ object }) => {
      const person = personOfRole(owner, provider, object);
      return person === undefined ? [] : [[object.name.toLowerCase(), person] as const];
    }),
  );
  const groups = new Set(groupsOf(mapping, provider));
  const desiredNames = new Set(desired.roles.map(({ name }) => name.toLowerCase()));
  const isNamed = ({ subject, group }: PersonRole) =>
    facts.evidence.some(
      (each) =>
        each.provider === provider &&
        ((subject !== undefined && (each.people?.includes(subject) ?? false)) ||
          (group !== undefined && (each.groups?.includes(group) ?? false))),
    );
  const isInferred = (person: PersonRole) =>
    groups.size > 0 && (person.group === undefined || groups.has(person.group)) && !isNamed(person);
  const lost = new Map([...people].filter(([name]) => !desiredNames.has(name)));
  const inferred = new Map([...lost].filter(([, person]) => isInferred(person)));

  const objects = new Map(
    objectsOf(desired).map((object) => [aclSubject(object.kind, ...nameOf(object)), object]),
  );
  const asWritten = (object: AclObject) => {
    const subject = aclSubject(object.kind, ...nameOf(object));
    const to = objects.get(subject);
    return to !== undefined && lastApplied.get(subject) === digestObject(to);
  };
  const why = (object: AclObject, direction: 'narrow' | 'widen'): AclChangeContext => {
    const name = roleOf(object);
    const person = name === undefined ? undefined : (people.get(name) ?? personIn(object, facts));
    const whose = toDecidedPerson(person, provider);
    if (direction === 'widen') return { reason: facts.grantReason, isInferred: false, scopes: [], ...whose };
    const because = (reason: ChangeReason, guessed: boolean): AclChangeContext => ({
      reason,
      isInferred: guessed,
      scopes: [],
      ...whose,
    });
    if (name === undefined) {
      const goes = object.kind === 'acl-auth-method' && desired.authMethods.length === 0 && groups.size > 0;
      if (goes && lost.size > 0) return because('MembershipRemoved', inferred.size > 0);
      return because(asWritten(object) ? 'DriftCorrected' : 'MappingChanged', false);
    }
    if (desiredNames.has(name))
      return because(asWritten(object) ? 'DriftCorrected' : 'MappingChanged', false);
    const { group } = person ?? {};
    if (groups.size === 0 || (group !== undefined && !groups.has(group)))
      return because('MappingChanged', false);
    return because('MembershipRemoved', isInferred(person ?? {}));
  };

  const diff = diffAcl({
    owner,
    plansNarrowing: facts.plansNarrowing,
    desired,
    actual,
    mayRemove: (object) => {
      if (object.kind === 'acl-policy') return false;
      const name = roleOf(object);
      if (name === undefined) return kept.size === 0 && !isUnknown;
      return !kept.has(name) && !(isUnknown && people.get(name)?.group === undefined);
    },
    why,
    lastApplied,
  });
  const plan = facts.redirects === true ? withoutLogins(diff, peopleName(owner, provider)) : diff;
  return { desired, changes: plan.changes, holds: [...asked.holds, ...plan.holds], inferred, isUnknown };
}

/** The groups that the mapping names at a provider. */
export function groupsOf(mapping: Mapping, provider: string): readonly string[] {
  return rulesOfGroups(mapping, provider).map(({ group }) => group);
}

/** The rules of these groups. */
export function rulesOfGroups(mapping: Mapping, provider: string): readonly GroupRules[] {
  const only = mapping.providers.length === 1 ? mapping.providers[0] : undefined;
  return mapping.acl.groups.filter((rule) => (rule.provider ?? only) === provider);
}

/**
 * Adds the existing memberships of people and groups whose record cannot be parsed, and of unlisted people: they keep them
 * and gain none.
 */
export function withExisting(members: Members, existing: Members): Members {
  const { unreadable } = members;
  if (unreadable === undefined) return members;
  const { subjects, groups, hasUnnamed, unlisted } = unreadable;
  return new Map(
    [...members].map(([group, known]) => {
      if (groups.has(group)) return [group, existing.get(group) ?? []];
      const stays = unlisted?.get(group);
      const kept = (existing.get(group) ?? []).filter(
        (subject) => hasUnnamed || subjects.has(subject) || stays?.has(subject),
      );
      // A person with one readable and one unreadable record gains nothing either.
      const shown = known.filter((subject) => !subjects.has(subject));
      return [group, [...new Set([...shown, ...kept])]];
    }),
  );
}

/** The people who can log in now. A role without a binding rule was about to be removed. */
export function existingMembers({
  actual,
  mapping,
  provider,
}: Pick<PeopleFacts, 'actual' | 'mapping' | 'provider'>): Members {
  const bound = new Set(actual.bindingRules.map(({ object }) => object.bindName.toLowerCase()));
  const members = new Map<string, string[]>();
  for (const { object } of actual.roles) {
    const { subject, group } = personOfRole(mapping.owner, provider, object) ?? {};
    if (subject === undefined || group === undefined || !bound.has(object.name.toLowerCase())) continue;
    members.set(group, [...(members.get(group) ?? []), subject]);
  }
  return members;
}

/** The role that an object is or grants, in lower case. */
function roleOf(object: AclObject): string | undefined {
  switch (object.kind) {
    case 'acl-role':
      return object.object.name.toLowerCase();
    case 'acl-binding-rule':
      return object.object.bindName.toLowerCase();
    case 'acl-auth-method':
    case 'acl-policy':
      return undefined;
  }
}

/** The person of a desired object, in the form of decisions. */
export function personOf(object: AclObject, facts: Pick<PeopleFacts, 'mapping' | 'provider'>) {
  return toDecidedPerson(personIn(object, facts), facts.provider);
}

function toDecidedPerson(
  person: PersonRole | undefined,
  provider: string,
): { readonly person?: DecidedPerson } {
  return person === undefined ? {} : { person: { provider, ...person, actorKind: 'human' } };
}

/** The person of an object that does not exist yet, or whose role does not. */
function personIn(
  object: AclObject,
  { mapping, provider }: Pick<PeopleFacts, 'mapping' | 'provider'>,
): PersonRole | undefined {
  const { description } = object.object;
  const name = object.kind === 'acl-binding-rule' ? object.object.bindName : nameOf(object)[0];
  return name === undefined ? undefined : personOfRole(mapping.owner, provider, { name, description });
}

/** Whether an object with this name may belong to the provider's people, also without the mark. */
export function isPeoples(owner: string, provider: string, name: string, description: string): boolean {
  return (
    hasPersonName(owner, provider, name) ||
    name.toLowerCase() === peopleName(owner, provider).toLowerCase() ||
    personOfRole(owner, provider, { name, description }) !== undefined
  );
}
