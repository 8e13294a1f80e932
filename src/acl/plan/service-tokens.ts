import type { AclToken } from '../../model/acl.js';
import { decidingRule, levelsOf, mergeLevels } from './merged-rules.js';
import { createPowers, type GrantObjects, type Power, readRules } from './token-power.js';

/** The live tokens that may register a service and hold its certificates, as its sidecar must. */
export interface ServiceTokens {
  /** Tokens for this service or a few services. */
  readonly own: readonly AclToken[];
  /** Tokens for every service. */
  readonly wide: readonly AclToken[];
  /** Tokens whose power scopemesh cannot determine. */
  readonly unclear: readonly AclToken[];
}

type Verdict = 'own' | 'wide' | 'unclear' | 'no';

/** By service: every token that a proxy could use, because Consul does not report which one it uses. */
export function serviceTokens(
  services: readonly string[],
  tokens: readonly AclToken[],
  objects: GrantObjects,
): ReadonlyMap<string, ServiceTokens> {
  const powerOf = createPowers(objects);
  // Thousands of tokens share few powers.
  const groups = new Map<
    string,
    { readonly verdictOn: (serviceName: string) => Verdict; readonly tokens: AclToken[] }
  >();
  for (const aclToken of tokens) {
    const power = powerOf(aclToken);
    const key = JSON.stringify([
      power.isManagement,
      ...[power.rules, power.services, power.more].map((each) => [...each]),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { verdictOn: createVerdict(power), tokens: [aclToken] });
    else group.tokens.push(aclToken);
  }
  return new Map(
    services.map((serviceName) => {
      const found: Record<Verdict, AclToken[]> = { own: [], wide: [], unclear: [], no: [] };
      for (const { verdictOn, tokens: alike } of groups.values())
        found[verdictOn(serviceName)].push(...alike);
      return [serviceName, { own: found.own, wide: found.wide, unclear: found.unclear }];
    }),
  );
}

/** Whether a token may write a service. */
function createVerdict(power: Power): (serviceName: string) => Verdict {
  if (power.isManagement) return () => 'wide';
  const read = [...power.rules].map(readRules);
  const isUnclear = power.more.size > 0 || read.includes(undefined);
  const levels = mergeLevels([
    ...levelsOf(
      read.filter((each) => each !== undefined),
      'service',
    ).values(),
    ...[...power.services].map((name) => ({ name, isPrefix: false, level: 'write' })),
  ]);
  return (serviceName) => {
    const deciding = decidingRule(levels, serviceName);
    if (deciding?.level === 'write') return deciding.isPrefix && deciding.name === '' ? 'wide' : 'own';
    return isUnclear ? 'unclear' : 'no';
  };
}
