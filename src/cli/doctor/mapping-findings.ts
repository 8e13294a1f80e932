import { ruleNames } from '../../app/rule-names.js';
import type { Rule } from '../../model/rule.js';
import { createPatternCompiler } from '../../plan/pattern.js';
import { matchRule } from '../../plan/rule-match.js';
import { shadowedRules } from '../../plan/shadowed-rules.js';
import { parseClientText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, warning } from './finding.js';

/** Rules and limits of the mapping that do not do what they seem to do. Call it after the directories were read. */
export function mappingFindings(world: WorldState): readonly Finding[] {
  return [
    ...shadowFindings(world),
    ...unmatchedFindings(world),
    ...lifetimeFindings(world),
    ...neverFindings(world),
  ];
}

function shadowFindings({ mapping }: WorldState): readonly Finding[] {
  const names = ruleNames(mapping.rules);
  const nameOf = (rule: Rule) => names.get(rule) ?? rule.scope;
  return shadowedRules(mapping).map(({ rule, by }) =>
    warning(
      'rules.shadowed',
      `the rule ${nameOf(rule)} has no effect: ${nameOf(by)} opens all of it, and rules add up`,
      `remove ${nameOf(rule)}, or if it was to narrow the access, narrow ${nameOf(by)}`,
    ),
  );
}

/** Without every directory of a rule nothing is known of it. */
function* unmatchedFindings(world: WorldState): Iterable<Finding> {
  const { mapping } = world;
  const names = ruleNames(mapping.rules);
  const compile = createPatternCompiler();
  const unmatched = mapping.rules.filter((rule) => {
    const providers = mapping.providers.filter((name) => (rule.provider ?? name) === name);
    return providers.every(
      (name) =>
        world.hasDirectory(name) &&
        ![...world.clients(name).values()].some(({ grants }) =>
          grants.some((grant) => matchRule(rule, name, grant, mapping, compile) !== undefined),
        ),
    );
  });
  if (unmatched.length > 0)
    yield notice(
      'rules.unmatched',
      `rules that match no scope of any client: ${namesText(unmatched.map((rule) => names.get(rule) ?? rule.scope))}`,
      'remove them, or correct their scope, provider or api',
    );
}

function* lifetimeFindings(world: WorldState): Iterable<Finding> {
  const { limits } = world.mapping;
  const over: string[] = [];
  for (const [text, { actorKind }] of world.openings()) {
    const id = parseClientText(text);
    const lifetime = world.client(id)?.accessTokenLifetimeSeconds;
    const most = actorKind === 'unknown' ? undefined : limits[actorKind].maxTokenTtlSeconds;
    if (lifetime !== undefined && most !== undefined && lifetime > most)
      over.push(`${id.provider}/${id.clientId} (${actorKind}: ${lifetime} s, limit ${most} s)`);
  }
  if (over.length > 0)
    yield warning(
      'actors.lifetime',
      `clients whose access tokens live longer than actors allows their kind: ${namesText(over.toSorted())}`,
      'shorten the lifetime at the identity provider: maxTokenTtl limits only tokens of Consul',
    );
}

function* neverFindings(world: WorldState): Iterable<Finding> {
  const held = [...world.openings()].flatMap(([text, { actorKind, limited }]) => {
    const { provider, clientId } = parseClientText(text);
    return limited.length === 0 ? [] : [`${provider}/${clientId} (${actorKind}): ${limited.join(' ')}`];
  });
  if (held.length > 0)
    yield notice(
      'actors.limited',
      `clients with scopes that their actor kind may not use: ${namesText(held.toSorted())}`,
      'take these scopes away at the identity provider, where other systems may honour them',
    );
}
