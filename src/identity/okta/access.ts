import type { Grant } from '../../model/client.js';
import type { OktaApp } from './app.js';
import {
  type AccessRule,
  ALL_CLIENTS,
  type AuthorizationServer,
  type CustomScope,
} from './authorization-server.js';

export interface ClientAccess {
  readonly grants: readonly Grant[];
  /** Of the shortest-lived token among those that the rules would give; undefined where none would. */
  readonly lifetimeSeconds: number | undefined;
}

/**
 * What a client may obtain. Okta takes the first policy and rule that fits a request, and no rule refuses: whatever any
 * rule lets a client have, it gets by asking for that alone. So the rules add up, and only the lifetime depends on
 * which one answers: its lower end counts.
 *
 *   client credentials   every scope of the rule that needs no person's consent, for an app that has this grant type
 *   in someone's name    every scope of the rule, where it is for everyone; one for some people alone says nothing of
 *                        the client
 */
export function accessOf(app: OktaApp, servers: readonly AuthorizationServer[]): ClientAccess {
  const grants: Grant[] = [];
  const lifetimes: number[] = [];
  for (const { api, scopes, policies } of servers) {
    const rules = policies
      .filter(({ clients }) => clients.some((each) => each === ALL_CLIENTS || each === app.clientId))
      .flatMap((policy) => policy.rules);
    const obtained = scopes.filter((scope) => rules.some((rule) => lets(app, rule, scope)));
    grants.push(...obtained.map(({ name }) => ({ api, name })).toSorted(byName));
    for (const rule of rules)
      if (obtained.some((scope) => lets(app, rule, scope))) lifetimes.push(rule.lifetimeSeconds);
  }
  return { grants, lifetimeSeconds: lifetimes.length === 0 ? undefined : Math.min(...lifetimes) };
}

function lets(app: OktaApp, rule: AccessRule, scope: CustomScope): boolean {
  if (!rule.scopes.includes('*') && !rule.scopes.includes(scope.name)) return false;
  return rule.grantTypes.some(
    (type) =>
      app.grantTypes.includes(type) &&
      (type === 'client_credentials' ? scope.isForServices : rule.isForEveryone),
  );
}

function byName(one: Grant, other: Grant): number {
  return one.name < other.name ? -1 : 1;
}
