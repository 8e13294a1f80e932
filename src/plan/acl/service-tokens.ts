import type { AclToken } from '../../model/acl.js';
import { createPowers, type GrantObjects, type Power, readRules } from './token-power.js';

/** The live tokens that may register a service and hold its certificates, as its sidecar must. */
export interface ServiceTokens {
  /** Those that are about this service, or a few. */
  readonly own: readonly AclToken[];
  /** Those that may do so for every service. */
  readonly wide: readonly AclToken[];
  /** Those of which scopemesh cannot say. */
  readonly unclear: readonly AclToken[];
}

type Verdict = 'own' | 'wide' | 'unclear' | 'no';

/** By service. Consul tells nobody which of its tokens a proxy uses, so that all that could be are told. */
export function serviceTokens(
  services: readonly string[],
  tokens: readonly AclToken[],
  objects: GrantObjects,
): ReadonlyMap<string, ServiceTokens> {
  const powerOf = createPowers(objects);
  // Thousands of tokens have a handful of powers.
  const groups = new Map<
    string,
    { readonly judge: (service: string) => Verdict; readonly tokens: AclToken[] }
  >();
  for (const token of tokens) {
    const power = powerOf(token);
    const key = JSON.stringify([
      power.isManagement,
      ...[power.rules, power.services, power.more].map((each) => [...each]),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { judge: judgeOf(power), tokens: [token] });
    else group.tokens.push(token);
  }
  return new Map(
    services.map((service) => {
      const found: Record<Verdict, AclToken[]> = { own: [], wide: [], unclear: [], no: [] };
      for (const { judge, tokens: alike } of groups.values()) found[judge(service)].push(...alike);
      return [service, { own: found.own, wide: found.wide, unclear: found.unclear }];
    }),
  );
}

interface ServiceRule {
  readonly name: string;
  readonly isPrefix: boolean;
  readonly policy: string;
}

/** Whether a token may write a service, as Consul decides: by the most exact rule, and of equal ones by a denial first. */
function judgeOf(power: Power): (service: string) => Verdict {
  if (power.isManagement) return () => 'wide';
  const read = [...power.rules].map(readRules);
  const isUnclear = power.more.size > 0 || read.includes(undefined);
  const rules: readonly ServiceRule[] = [
    ...read.flatMap((each) => each?.named ?? []).filter(({ resource }) => resource === 'service'),
    ...[...power.services].map((name) => ({ name, isPrefix: false, policy: 'write' })),
  ];
  return (service) => {
    const [deciding] = rules
      .filter(({ name, isPrefix }) => (isPrefix ? service.startsWith(name) : service === name))
      .toSorted(
        (a, b) =>
          Number(a.isPrefix) - Number(b.isPrefix) ||
          b.name.length - a.name.length ||
          STRENGTH.indexOf(a.policy) - STRENGTH.indexOf(b.policy),
      );
    if (deciding?.policy === 'write') return deciding.isPrefix && deciding.name === '' ? 'wide' : 'own';
    return isUnclear ? 'unclear' : 'no';
  };
}

const STRENGTH = ['deny', 'write', 'read'];
