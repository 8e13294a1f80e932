import type { Grant } from '../../model/client.js';
import type { OktaApp } from './app.js';
import { type AccessRule, ALL_CLIENTS, type AuthorizationServer } from './authorization-server.js';

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
 *   client credentials   every scope of the rule, for an app that has this grant type
 *   in someone's name    the same, where the rule is for everyone; one for some people alone says nothing of the client
 */
export function accessOf(app: OktaApp, servers: readonly AuthorizationServer[]): ClientAccess {
  const grants: Grant[] = [];
  const lifetimes: number[] = [];
  for (const { api, scopes, policies } of servers) {
    const rules = policies
      .filter(({ clients }) => clients.some((each) => each === ALL_CLIENTS || each === app.clientId))
      .flatMap((policy) => policy.rules)
      .filter((rule) => appliesTo(app, rule));
    const obtained = scopes.filter((name) => rules.some((rule) => lets(rule, name)));
    grants.push(...obtained.toSorted().map((name) => ({ api, name })));
    for (const rule of rules)
      if (obtained.some((name) => lets(rule, name))) lifetimes.push(rule.lifetimeSeconds);
  }
  return { grants, lifetimeSeconds: lifetimes.length === 0 ? undefined : Math.min(...lifetimes) };
}

function appliesTo(app: OktaApp, rule: AccessRule): boolean {
  return rule.grantTypes.some(
    (type) => app.grantTypes.includes(type) && (type === 'client_credentials' || rule.isForEveryone),
  );
}

function lets(rule: AccessRule, scope: string): boolean {
  return rule.scopes.includes('*') || rule.scopes.includes(scope);
}
