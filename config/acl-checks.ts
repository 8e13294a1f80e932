import { parseRules, RulesFault } from '../src/acl/plan/rules-text.js';
import { asList, asMap, eachRule } from './checks.js';
import type { ConfigPath } from './config-error.js';
import { type Finding, finding } from './finding.js';
import { captureNames, patternFault } from './pattern.js';

/** The faults in those parts of an expanded file that configure Consul's ACL tokens. */
export function aclFindings(file: unknown): Finding[] {
  const root = asMap(file);
  const groups = Object.entries(asMap(root.groups)).map(([group, value]) => ({ group, ...asMap(value) }));
  const names = asList(root.providers).map((provider) => asMap(provider).name);
  return [
    ...eachRule(root).flatMap(({ scope, rule, path }) => rulesFindings(rule.acl, [...path, 'acl'], scope)),
    ...groups.flatMap(({ group, acl, provider }: { group: string; acl?: unknown; provider?: unknown }) => [
      ...rulesFindings(acl, ['groups', group, 'acl'], ''),
      ...groupFindings(provider, ['groups', group], names),
    ]),
    ...audienceFindings(root),
  ];
}

function rulesFindings(acl: unknown, path: ConfigPath, scope: string): Finding[] {
  if (typeof acl !== 'string' || acl === '') return [];
  let captures: readonly string[];
  try {
    captures = parseRules(acl).captures;
  } catch (error) {
    if (!(error instanceof RulesFault)) throw error;
    return [finding(path, `the ACL rules are invalid at ${error.message}`)];
  }
  const captured = patternFault(scope) === undefined ? captureNames(scope) : [];
  if (scope !== '' && patternFault(scope) !== undefined) return [];
  const missing = captures.filter((name) => !captured.includes(name));
  if (missing.length === 0) return [];
  const available = captured.map((name) => `{${name}}`).join(', ');
  const remedy =
    scope === ''
      ? 'write the names out'
      : available === ''
        ? 'put {name} into the scope'
        : `it has ${available}`;
  return [
    finding(path, `uses a capture that ${scope === '' ? 'a group' : 'the scope'} does not have; ${remedy}`),
  ];
}

function groupFindings(provider: unknown, path: ConfigPath, names: readonly unknown[]): Finding[] {
  const known = names.filter((name) => typeof name === 'string');
  if (provider === undefined && known.length > 1)
    return [
      finding(
        path,
        `does not name the provider of the group; add "provider" with one of ${known.join(', ')}`,
      ),
    ];
  if (typeof provider === 'string' && known.length > 0 && !known.includes(provider))
    return [
      finding([...path, 'provider'], 'no provider has this name; write the name of one under "providers"'),
    ];
  return [];
}

/** Without an audience any token could log in, or count as a user's token. */
function audienceFindings(root: ReturnType<typeof asMap>): Finding[] {
  const isLogin = [true, 'on', 'true', 'registered'].some((value) => value === root.login);
  const rules = eachRule(root).map(({ rule }) => rule);
  const forLogin = [
    ...rules.flatMap((rule) => (Object.hasOwn(rule, 'acl') ? [rule.provider] : [])),
    ...Object.values(asMap(root.groups)).map((group) => asMap(group).provider),
  ];
  const forUsers = rules.flatMap((rule) => (rule.user === 'required' ? [rule.provider] : []));
  return asList(root.providers).flatMap((value, index) => {
    const provider = asMap(value);
    const isNamed = (names: readonly unknown[]) =>
      names.some((name) => name === undefined || name === provider.name);
    const place = ['providers', index];
    if (provider.audience !== undefined) return [];
    if (isLogin || isNamed(forLogin))
      return [
        finding(
          place,
          'has no audience, so any of its tokens could log in to Consul; add "audience" with the audience of tokens for Consul',
        ),
      ];
    return isNamed(forUsers) && provider.userAudience === undefined
      ? [
          finding(
            place,
            'has no audience, so any of its tokens would count as a user token where a rule has "user: required"; add "userAudience" with the audience of user tokens',
          ),
        ]
      : [];
  });
}
