import type { Grant } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import { wrongShape } from '../read-errors.js';
import type { OktaApp } from './app.js';
import {
  type AccessFault,
  type AccessRule,
  ALL_CLIENTS,
  type AuthorizationServer,
  type CustomScope,
} from './authorization-server.js';

/**
 * What a client may obtain. Okta applies the first policy and rule that match a request, and no rule refuses: a client
 * gets whatever any rule allows by requesting that alone. So the rules add up. Only the lifetime depends on which rule
 * answers: the shortest counts; it is undefined if no rule allows a token. Throws WrongShape if a record that may concern
 * the client cannot be parsed.
 *
 *   client credentials   every scope of the rule that needs no person's consent, for an app with this grant type
 *   for a person         every scope of the rule if it is for everyone; a rule for some people says nothing about
 *                        the client
 */
export function accessOf(app: OktaApp, servers: readonly AuthorizationServer[]) {
  const grants: Grant[] = [];
  const lifetimes: number[] = [];
  for (const { api, scopes, policies, faults } of servers) {
    const rules = policies
      .filter(({ clients }) => clients.some((each) => each === ALL_CLIENTS || each === app.clientId))
      .flatMap((policy) => policy.rules);
    const fault = faults.find((each) => concerns(each, app, rules, scopes));
    if (fault !== undefined) throw wrongShape(`authorization server ${api}`, fault.why);
    const obtained = scopes.filter((scope) => rules.some((rule) => allows(app, rule, scope)));
    grants.push(...obtained.map(({ name }) => ({ api, name })).toSorted(byName));
    for (const rule of rules)
      if (obtained.some((scope) => allows(app, rule, scope))) lifetimes.push(rule.lifetimeSeconds);
  }
  return { grants, lifetimeSeconds: lifetimes.length === 0 ? undefined : Math.min(...lifetimes) };
}

function concerns(
  { clients, scope }: AccessFault,
  { clientId }: OktaApp,
  rules: readonly AccessRule[],
  known: readonly CustomScope[],
): boolean {
  if (!clients.some((each) => each === ALL_CLIENTS || each === clientId)) return false;
  if (scope === undefined) return true;
  const names = new Set(known.map(({ name }) => name));
  const mayBe = (name: string) =>
    name === '*' || name === scope.name || (scope.name === undefined && !names.has(name));
  return rules.some((rule) => rule.scopes.some(mayBe));
}

function allows(app: OktaApp, rule: AccessRule, scope: CustomScope): boolean {
  if (!rule.scopes.includes('*') && !rule.scopes.includes(scope.name)) return false;
  return rule.grantTypes.some(
    (type) =>
      app.grantTypes.includes(type) &&
      (type === 'client_credentials' ? scope.isForServices : rule.isForEveryone),
  );
}

function byName(one: Grant, other: Grant): number {
  return compareText(one.name, other.name);
}
