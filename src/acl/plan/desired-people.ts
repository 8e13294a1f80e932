import type { AclBindingRule, AclPolicy, AclRole } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import type { HoldReason } from '../../model/decision.js';
import type { AclSettings, GroupRules, LoginProvider } from '../../model/login.js';
import type { Mapping } from '../../model/rule.js';
import { describe, peopleName, personName } from '../../plan/object-names.js';
import type { Hold } from '../../plan/plan.js';
import { loginHold } from './acl-change.js';
import { fill, toPolicy } from './granted-rules.js';
import {
  claimKey,
  type DesiredAcl,
  maxTokenTtlSeconds,
  methodConfig,
  NOTHING_DESIRED,
  unverifiable,
} from './login.js';
import { type AclRules, parseRules } from './rules-text.js';
import { Selector } from './selector.js';

export interface PeopleInput {
  readonly provider: string;
  readonly mapping: Mapping;
  readonly settings: AclSettings;
  /** All subjects (`sub`) of enabled people by group or role; undefined if they were not read. */
  readonly members: ReadonlyMap<string, readonly string[]> | undefined;
  readonly parse?: (text: string) => AclRules;
}

export interface DesiredPeople {
  /** Undefined: unknown, keep the existing objects. */
  readonly desired: DesiredAcl | undefined;
  readonly holds: readonly Hold[];
}

/**
 * The ACL objects with which the people of one provider log in: one auth method and, for each member of each mapped group,
 * a role with the group's rules and a binding rule. The rule admits only this subject, only with the group in the token,
 * and nobody who acts for the person. The tokens of a role belong to one person and one group, and end with the role.
 * SPEC.md explains why.
 */
export function desiredPeople(input: PeopleInput): DesiredPeople {
  const { provider: providerName, mapping, settings } = input;
  const name = peopleName(mapping.owner, providerName);
  const holds: Hold[] = [];
  const hold = (reason: HoldReason, detail: string) => {
    holds.push(loginHold(name, reason, detail));
  };
  const rules = settings.groups.filter(
    (rule) =>
      (rule.provider ?? (mapping.providers.length === 1 ? mapping.providers[0] : undefined)) === providerName,
  );
  if (rules.length === 0) return { desired: NOTHING_DESIRED, holds };
  const provider = settings.providers.get(providerName);
  const why = unverifiable(providerName, provider);
  if (provider === undefined || why !== undefined) {
    hold('LoginUnverifiable', why ?? '');
    return { desired: NOTHING_DESIRED, holds };
  }
  const maxTtl = maxTokenTtlSeconds(undefined, [mapping.limits.human]);
  if (maxTtl === undefined) {
    hold(
      'LifetimeTooShort',
      'people may hold a token for less than one minute, which is the shortest lifetime of a Consul token; increase actors.human.maxTokenTtl',
    );
    return { desired: NOTHING_DESIRED, holds };
  }
  if (input.members === undefined) {
    hold(
      'IncompleteRead',
      'scopemesh has not read the members of the groups; it adds and removes nobody until a read succeeds',
    );
    return { desired: undefined, holds };
  }

  const policies = new Map<string, AclPolicy>();
  const roles = new Map<string, AclRole>();
  const bindingRules: AclBindingRule[] = [];
  const groups = policiesByGroup(rules, provider, mapping, input.parse ?? parseRules, hold);
  for (const { group, inToken, policy } of groups) {
    for (const subject of new Set(input.members.get(group) ?? [])) {
      const role = personName(mapping.owner, providerName, subject, group);
      const selector = selectorFor(provider, subject, inToken);
      const known = roles.get(role);
      if (selector.text === undefined) {
        hold(
          'InvalidClientId',
          `${JSON.stringify(subject)} in the group ${JSON.stringify(group)} is left out: one of the two names is empty or contains an unpaired surrogate, so Consul cannot compare it; rename the person or the group at the identity provider`,
        );
      } else if (known !== undefined) {
        const linked = [...new Set([...known.policies, policy.name])].toSorted(compareText);
        roles.set(role, { ...known, policies: linked });
        policies.set(policy.name, policy);
      } else {
        const description = describe(mapping.owner, { person: [providerName, subject], group: [group] });
        policies.set(policy.name, policy);
        roles.set(role, { name: role, description, policies: [policy.name], serviceIdentities: [] });
        bindingRules.push({
          description,
          authMethod: name,
          bindType: 'role',
          bindName: role,
          selector: selector.text,
        });
      }
    }
  }
  if (roles.size === 0) return { desired: NOTHING_DESIRED, holds };
  // By group, independent of its members, so that a new member does not change the method.
  const selectors = groups.map(({ inToken }) => selectorFor(provider, 'x', inToken));
  const mappedBy = (kind: 'values' | 'lists') => new Map(selectors.flatMap((each) => [...each[kind]]));
  return {
    holds,
    desired: {
      policies: [...policies.values()].toSorted((a, b) => compareText(a.name, b.name)),
      roles: [...roles.values()].toSorted((a, b) => compareText(a.name, b.name)),
      authMethods: [
        {
          name,
          description: describe(mapping.owner, { people: [providerName] }),
          maxTokenTtlSeconds: maxTtl,
          config: methodConfig(provider, mappedBy('values'), mappedBy('lists')),
        },
      ],
      bindingRules: bindingRules.toSorted((a, b) => compareText(a.bindName, b.bindName)),
    },
  };
}

function selectorFor(provider: LoginProvider, subject: string, { claim, name }: Place): Selector {
  const isOfGroups = claimKey(claim) === claimKey(provider.claims.groups);
  const selector = new Selector()
    .equals('subject', provider.claims.subject, subject)
    .holds(isOfGroups ? 'groups' : 'other_groups', claim, name)
    // RFC 8693, section 4.1: an actor for the person is not the person and has its own limits.
    .lacks('actor', ['act']);
  // draft-mora-oauth-entity-profiles-01: a subject with another profile in the token is not a person.
  if (provider.person === undefined)
    return selector.holdsWordIfThere('subject_profile', ['sub_profile'], 'user');
  return selector.equals('person', provider.person.claim, provider.person.equals);
}

/** The claim and the name of a group in tokens. */
type Place = NonNullable<GroupRules['inToken']>;

/** The claim in which a person's token must list the group, and the name that it must have there. */
export function groupInToken(
  { group, inToken }: Pick<GroupRules, 'group' | 'inToken'>,
  provider: Pick<LoginProvider, 'claims'>,
): Place {
  return inToken ?? { claim: provider.claims.groups, name: group };
}

function policiesByGroup(
  rules: AclSettings['groups'],
  provider: LoginProvider,
  mapping: Mapping,
  parse: (text: string) => AclRules,
  hold: (reason: HoldReason, detail: string) => void,
): readonly { readonly group: string; readonly inToken: Place; readonly policy: AclPolicy }[] {
  return rules.flatMap((rule) => {
    const { group, acl } = rule;
    const inToken = groupInToken(rule, provider);
    const filled = fill(acl, {}, mapping, parse);
    if (!('reason' in filled)) return [{ group, inToken, policy: toPolicy(mapping.owner, filled.text) }];
    hold(filled.reason, `groups.${group}: ${filled.detail}`);
    return [];
  });
}
