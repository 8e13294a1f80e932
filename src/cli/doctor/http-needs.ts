import type { Rule } from '../../model/rule.js';
import { compilePattern, isPlainServiceName } from '../../plan/pattern.js';
import { parseClientText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';

/** What Consul enforces only where the destination speaks HTTP. */
export type HttpNeed = 'permissions' | 'user' | 'human';

/** Who needs it, in words, by destination and need. */
export type HttpNeeds = ReadonlyMap<HttpNeed, ReadonlyMap<string, ReadonlySet<string>>>;

/**
 * By what clients' scopes open, whether or not a service claims them, and by the rules that name their destination,
 * which need it of whoever will have the scope. Protected destinations stay closed for another reason.
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
        askers('human', destination).add(`${scope} of ${provider}/${clientId}, whose kind is ${actorKind}`);
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
      // A scope that it matches says as much already.
      if (![...found].some((each) => compilePattern(scope).match(each) !== undefined)) found.add(scope);
    }
  }
  return needs;
}

function hasPermissions({ methods, path, pathExact, pathPrefix, pathRegex, headers }: Rule): boolean {
  return [methods, path, pathExact, pathPrefix, pathRegex, headers].some((part) => part !== undefined);
}
