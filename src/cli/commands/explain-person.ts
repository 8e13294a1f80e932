import { rulesOfGroups } from '../../acl/plan/plan-people.js';
import { knownMembers, plannedPeople } from '../../acl/state/people-acl.js';
import { loginCommand } from '../../app/login-view.js';
import { holdView } from '../../app/plan-view.js';
import { claimText, groupClaim, groupHint, personClaims, type TokenClaim } from '../../app/token-claims.js';
import { configError } from '../../errors.js';
import { peopleName, personName } from '../../plan/object-names.js';
import type { CurrentState } from '../load-current-state.js';
import { durationText } from '../terminal/duration-text.js';

/** What one mapped group gives a person. */
export interface GroupOfPerson {
  readonly group: string;
  /** Null: the members could not be read. */
  readonly isMember: boolean | null;
  readonly role: string;
  /** What the person's access token must have for this group; null if the provider is unknown. */
  readonly tokenClaim: TokenClaim | null;
  /** A setting of the provider that changes the group's name in the token; null if no setting does. */
  readonly hint: string | null;
  /** The ACL rules that the person gets by the group; null if none. */
  readonly rules: string | null;
  /** Whether Consul has the role. */
  readonly stands: boolean;
}

/** What one person, named `provider/subject`, may do with Consul because of their groups. */
export function personView(sides: Pick<CurrentState, 'world' | 'acl' | 'config'>, name: string) {
  const { world, acl, config } = sides;
  const { mapping } = world;
  const slash = name.indexOf('/');
  const [provider, subject] = [name.slice(0, slash), name.slice(slash + 1)];
  if (!mapping.providers.includes(provider) || subject === '')
    throw configError(
      `write PROVIDER/SUBJECT, where SUBJECT is the sub of the person's tokens, with one of these providers: ${mapping.providers.join(', ')}`,
    );
  const { owner } = mapping;
  const members = knownMembers(provider, sides);
  const { desired, holds } = plannedPeople(provider, sides);
  const loginProvider = mapping.acl.providers.get(provider);
  const kind = config.providers.find((each) => each.name === provider)?.kind ?? '';
  const groups = rulesOfGroups(mapping, provider).map((rule): GroupOfPerson => {
    const { group } = rule;
    const role = personName(owner, provider, subject, group);
    const desiredRole = desired.roles.find(({ name }) => name === role);
    const policies = desired.policies.filter(({ name }) => desiredRole?.policies.includes(name));
    return {
      group,
      isMember: members === undefined ? null : (members.get(group)?.includes(subject) ?? false),
      role,
      tokenClaim: loginProvider === undefined ? null : groupClaim(rule, loginProvider),
      hint: groupHint(kind, rule) ?? null,
      rules: policies.length === 0 ? null : policies.map(({ rules }) => rules).join(' '),
      stands: acl.cache.of(role).role !== undefined,
    };
  });
  const [method] = desired.authMethods;
  const mayEver = groups.some(({ rules }) => rules !== null);
  const isMade =
    method !== undefined &&
    acl.cache.of(method.name).authMethod !== undefined &&
    groups.some(({ rules, stands }) => rules !== null && stands);
  return {
    person: { provider, subject, actorKind: 'human' as const },
    /** True only if Consul has the auth method already; `login` also shows one that is only planned. */
    mayLogIn: mayEver && isMade,
    isMade,
    login:
      mayEver && method !== undefined
        ? {
            authMethod: method.name,
            audiences: method.config.boundAudiences,
            maxTokenTtlSeconds: method.maxTokenTtlSeconds,
            tokenClaims: loginProvider === undefined ? [] : personClaims(loginProvider, subject),
            command: loginCommand(method.name),
          }
        : null,
    groups,
    holds: holds.filter(({ subject: about }) => about.includes(peopleName(owner, provider))).map(holdView),
  };
}

export function* personFacts({
  login,
  groups,
  holds,
}: ReturnType<typeof personView>): Iterable<readonly [name: string, text: string]> {
  if (login !== null) {
    const ttl = durationText(login.maxTokenTtlSeconds);
    yield ['consul', `for at most ${ttl}, by auth method ${login.authMethod}`];
    yield ['login', login.command];
    yield ['token', 'the access token must meet all of these conditions:'];
    for (const claim of login.tokenClaims) yield ['', claimText(claim)];
  }
  for (const { group, isMember, rules, stands, tokenClaim, hint } of groups) {
    const note = rules !== null && !stands ? '; not in Consul yet, see scopemesh plan' : '';
    const without = isMember === null ? 'its members could not be read' : 'not a member';
    yield ['group', `${group}: ${rules === null ? without : `${rules}${note}`}`];
    if (rules === null || tokenClaim === null) continue;
    yield ['', `in the token, ${claimText(tokenClaim)}`];
    if (hint !== null) yield ['', hint];
  }
  if (groups.length === 0) yield ['group', 'no group of this provider is mapped in the configuration'];
  for (const { reason, detail } of holds) yield ['held', `${reason}: ${detail}`];
}
