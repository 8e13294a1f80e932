import { definedFields } from '../model/defined-fields.js';
import type { Access, HttpPermission } from '../model/intention.js';
import { parsePlainPathRegex } from '../model/plain-path.js';
import type { Mapping, Rule } from '../model/rule.js';
import { covers } from '../plan/access.js';
import { accessOf } from '../plan/openings.js';
import type { HeldScope } from './scope-holders.js';

/** The rules that open this access for a scope, one for each permission. A permission that no rule writes has none. */
export function toRules(
  held: Pick<HeldScope, 'provider' | 'scope'>,
  to: string,
  access: Access,
  mapping: Pick<Mapping, 'providers'>,
): readonly Rule[] {
  const scopeRule = toScopeRule(held, mapping);
  if (scopeRule === undefined) return [];
  const rule: Rule = { ...scopeRule, to };
  if (access.kind !== 'http') return [rule];
  const rules = pathRules(access.permissions).map((each): Rule => ({ ...rule, ...each }));
  // A rule reads some paths in its own way: `/` opens every path, and a slash at the end does not count.
  return rules.filter((each) => covers(access, accessOf(each)));
}

/** A rule for this scope alone, without what it opens; undefined if its name cannot be written. */
export function toScopeRule(
  { provider, scope }: Pick<HeldScope, 'provider' | 'scope'>,
  { providers }: Pick<Mapping, 'providers'>,
): Rule | undefined {
  if (WILDCARD.test(scope.name)) return undefined;
  return {
    scope: scope.name,
    ...(providers.length > 1 ? { provider } : {}),
    ...definedFields({ api: scope.api }),
    userRequired: false,
  };
}

/** A scope with such a name cannot be written literally. */
const WILDCARD = /[*{}]/;

type Conditions = Pick<
  Rule,
  'methods' | 'path' | 'pathExact' | 'pathPrefix' | 'pathRegex' | 'rawPath' | 'headers'
>;

/** A path and everything below it is one rule, although Consul takes two permissions. */
function pathRules(permissions: readonly HttpPermission[]): readonly Conditions[] {
  const restOf = ({ methods, headers }: HttpPermission) => definedFields({ methods, headers });
  const below = (each: HttpPermission) =>
    each.pathExact === undefined
      ? undefined
      : permissions.find(
          (other) =>
            other.pathPrefix === `${each.pathExact}/` &&
            JSON.stringify(restOf(other)) === JSON.stringify(restOf(each)),
        );
  const merged = new Set(permissions.map(below));
  return permissions
    .filter((each) => !merged.has(each))
    .map((each) => ({
      ...restOf(each),
      ...(below(each) === undefined
        ? pathOf(each)
        : { ...definedFields({ path: each.pathExact }), rawPath: true }),
    }));
}

function pathOf({ pathExact, pathPrefix, pathRegex }: HttpPermission): Conditions {
  if (pathPrefix !== undefined) return { pathPrefix, ...(pathPrefix === '/' ? {} : { rawPath: true }) };
  const plain = pathRegex === undefined ? undefined : parsePlainPathRegex(pathRegex);
  if (plain !== undefined) return plain.kind === 'path' ? { path: plain.text } : { pathPrefix: plain.text };
  return definedFields({ pathExact, pathRegex });
}
