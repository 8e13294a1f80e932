import {
  decidingPrefix,
  decidingRule,
  intentionLevels,
  type LevelRule,
  levelsOf,
  narrowerRules,
  wholeLevel,
} from '../../acl/plan/merged-rules.js';
import type { AclRules, NamedRule } from '../../acl/plan/rules-text.js';
import { captureNames, compilePattern } from '../../plan/pattern.js';
import { namesText } from './finding.js';

/** Something that a token should write and may not. */
export interface MissingAccess {
  readonly what: string;
  /** Rules to add. */
  readonly rules: readonly string[];
  /** Rules that forbid it whatever the other rules say; they must be removed. */
  readonly forbidding: readonly string[];
}

type Place = Pick<LevelRule, 'name' | 'isPrefix'>;

/** Named resources that scopemesh never writes. A token that may write a service can act as that service. */
const NEVER_WRITTEN = [
  ['agent', 'agents'],
  ['event', 'events'],
  ['node', 'nodes'],
  ['query', 'prepared queries'],
  ['service', 'services'],
] as const;

/** The destinations whose intentions the token may not write. `policies`: the rules of all its policies, here and below. */
export function closedDestinations(
  policies: readonly AclRules[],
  destinations: readonly string[],
): readonly string[] {
  const levels = intentionLevels(policies);
  return destinations.filter((name) => decidingRule(levels, name)?.level !== 'write');
}

export function missingIntentionAccess(
  policies: readonly AclRules[],
  closed: readonly string[],
): MissingAccess {
  const places = closed.map((name) => ({ name, isPrefix: false }));
  return { what: `the intentions of ${namesText(closed)}`, ...intentionRules(policies, places) };
}

/** For the destinations that a scope could open by its name, whether or not such a scope exists yet. */
export function missingCapturedAccess(
  policies: readonly AclRules[],
  to: string,
  isLeftOut: (name: string) => boolean,
): MissingAccess | undefined {
  const [capture] = captureNames(to);
  if (capture === undefined) return undefined;
  const head = to.slice(0, to.indexOf(`{${capture}}`));
  const pattern = compilePattern(to);
  const levels = intentionLevels(policies);
  const isOpen = decidingPrefix(levels, head)?.level === 'write';
  const narrower = narrowerRules(levels, head).filter(
    ({ name, isPrefix, level }) =>
      level !== 'write' && (isPrefix || (pattern.match(name) !== undefined && !isLeftOut(name))),
  );
  const closed: readonly Place[] = isOpen ? narrower : [{ name: head, isPrefix: true }];
  if (closed.length === 0) return undefined;
  return {
    what: `the intentions of ${namesText(closed.map(placeText))}`,
    ...intentionRules(policies, closed),
  };
}

/** For the keys in `folder`, which begins with `prefix`. */
export function missingKeyAccess(
  policies: readonly AclRules[],
  prefix: string,
  folder: string,
): MissingAccess | undefined {
  const levels = levelsOf(policies, 'key');
  const forbids = ({ level }: LevelRule) => level !== 'write';
  const isGiven = decidingPrefix(levels, folder)?.level === 'write';
  if (isGiven && !narrowerRules(levels, folder).some(forbids)) return undefined;
  const forbidding = [...levels.values()].filter(
    (rule) =>
      forbids(rule) && rule.name.startsWith(prefix) && (rule.name !== prefix || rule.level === 'deny'),
  );
  return {
    what: `keys under ${prefix}`,
    rules: isGiven ? [] : [`key_prefix ${JSON.stringify(prefix)} { policy = "write" }`],
    forbidding: forbidding.map(
      ({ name, isPrefix, level }) =>
        `key${isPrefix ? '_prefix' : ''} ${JSON.stringify(name)} { policy = "${level}" }`,
    ),
  };
}

/** For a resource without names. */
export function missingResourceAccess(
  policies: readonly AclRules[],
  resource: string,
): MissingAccess | undefined {
  const said = wholeLevel(policies, resource);
  // Without a rule for mesh, the rule for operator counts.
  const level = said ?? (resource === 'mesh' ? wholeLevel(policies, 'operator') : undefined);
  if (level === 'write') return undefined;
  return {
    what: resource,
    rules: [`${resource} = "write"`],
    forbidding: said === 'deny' ? [`${resource} = "deny"`] : [],
  };
}

/** Whether it may write any intention at all. */
export function writesIntentions(policies: readonly AclRules[]): boolean {
  return [...intentionLevels(policies).values()].some(({ level }) => level === 'write');
}

/** Named resources that scopemesh never writes and this token may write. */
export function excessNames(policies: readonly AclRules[], ourKeys: string): readonly string[] {
  const written = (resource: NamedRule['resource']) =>
    [...levelsOf(policies, resource).values()].filter(({ level }) => level === 'write');
  return [
    ...NEVER_WRITTEN.flatMap(([resource, words]) => (written(resource).length > 0 ? [words] : [])),
    ...(written('key').every(({ name }) => name.startsWith(ourKeys)) ? [] : [`keys outside ${ourKeys}`]),
  ];
}

function intentionRules(
  policies: readonly AclRules[],
  places: readonly Place[],
): Pick<MissingAccess, 'rules' | 'forbidding'> {
  const levels = intentionLevels(policies);
  const isSame = (place: Place) => (rule: LevelRule) =>
    rule.name === place.name && rule.isPrefix === place.isPrefix;
  const denied = places.filter((place) => [...levels.values()].find(isSame(place))?.level === 'deny');
  return {
    rules: places.map((place) => `${serviceWord(place)} { policy = "read" intentions = "write" }`),
    forbidding: denied.map((place) => `the denial of ${serviceWord(place)}`),
  };
}

function serviceWord({ name, isPrefix }: Place): string {
  return `service${isPrefix ? '_prefix' : ''} ${JSON.stringify(name)}`;
}

function placeText({ name, isPrefix }: Place): string {
  if (!isPrefix) return name;
  return name === '' ? 'services without a rule of their own' : `services whose name begins with ${name}`;
}
