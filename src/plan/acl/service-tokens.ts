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
    { readonly verdictOn: (service: string) => Verdict; readonly tokens: AclToken[] }
  >();
  for (const token of tokens) {
    const power = powerOf(token);
    const key = JSON.stringify([
      power.isManagement,
      ...[power.rules, power.services, power.more].map((each) => [...each]),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { verdictOn: createVerdict(power), tokens: [token] });
    else group.tokens.push(token);
  }
  return new Map(
    services.map((service) => {
      const found: Record<Verdict, AclToken[]> = { own: [], wide: [], unclear: [], no: [] };
      for (const { verdictOn, tokens: alike } of groups.values()) found[verdictOn(service)].push(...alike);
      return [service, { own: found.own, wide: found.wide, unclear: found.unclear }];
    }),
  );
}

/** Whether a token may write a service. */
function createVerdict(power: Power): (service: string) => Verdict {
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
  return (service) => {
    const deciding = decidingRule(levels, service);
    if (deciding?.level === 'write') return deciding.isPrefix && deciding.name === '' ? 'wide' : 'own';
    return isUnclear ? 'unclear' : 'no';
  };
}
