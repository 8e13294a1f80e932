import type { Rule } from '../../model/rule.js';
import { compilePattern, isPlainServiceName } from '../../plan/pattern.js';
import { parseClientText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';

/** What Consul enforces only if the destination speaks HTTP. */
export type HttpNeed = 'permissions' | 'user' | 'human';

/** Which scopes need it, by need and destination. */
export type HttpNeeds = ReadonlyMap<HttpNeed, ReadonlyMap<string, ReadonlySet<string>>>;

/**
 * From the scopes that clients hold, with or without a claim on the client, and from the rules that name a destination,
 * with or without a client that holds the scope. Protected destinations stay closed anyway.
 */
export function httpNeeds(world: WorldState): HttpNeeds {
  const needs = new Map<HttpNeed, Map<string, Set<string>>>();
  const { rules, protectedServices } = world.mapping;
  const askers = (need: HttpNeed, destination: string): Set<string> => {
    const byDestination = needs.get(need) ?? new Map<string, Set<string>>();
    needs.set(need, byDestination);
    const found = byDestination.get(destination) ?? new Set<string>();
    byDestination.set(destination, found);
    return found;
  };
  for (const [text, { actorKind, openings }] of world.openings()) {
    const { provider, clientId } = parseClientText(text);
    for (const { destination, access, scope, user } of openings) {
      if (protectedServices.includes(destination)) continue;
      if (access.kind === 'http') askers('permissions', destination).add(scope);
      if (user?.actsForHuman === false) askers('user', destination).add(scope);
      if (user?.actsForHuman === true)
        askers('human', destination).add(`${scope} of ${provider}/${clientId}, of actor kind ${actorKind}`);
    }
  }
  for (const rule of rules) {
    const { to, scope } = rule;
    if (to === undefined || !isPlainServiceName(to) || protectedServices.includes(to)) continue;
    const needed: readonly HttpNeed[] = [
      ...(hasPermissions(rule) ? (['permissions'] as const) : []),
      ...(rule.userRequired ? (['user'] as const) : []),
    ];
    for (const need of needed) {
      const found = askers(need, to);
      // A scope that the pattern matches is listed already.
      if (![...found].some((each) => compilePattern(scope).match(each) !== undefined)) found.add(scope);
    }
  }
  return needs;
}

function hasPermissions({ methods, path, pathExact, pathPrefix, pathRegex, headers }: Rule): boolean {
  return [methods, path, pathExact, pathPrefix, pathRegex, headers].some((part) => part !== undefined);
}
