import type { AclToken } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import type { ClientId } from '../../plan/world.js';
import type { DesiredAcl } from './login.js';
import {
  createPowers,
  type GrantObjects,
  isWithin,
  type Power,
  powerText,
  singleRules,
} from './token-power.js';

/** The most dangerous first. */
export const TOKEN_KINDS = ['management', 'static', 'static-expiring', 'anonymous', 'login'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

export interface TokenReport {
  readonly token: AclToken;
  readonly kind: TokenKind;
  readonly ageSeconds: number;
  /** A short description of its power; undefined if its rules were not read. */
  readonly can: readonly string[] | undefined;
  /** Clients whose login certainly grants what a static token grants, the least additional power first; empty if none is known. */
  readonly replaceableBy: readonly ClientId[];
}

interface TokenReportInput {
  readonly tokens: readonly AclToken[];
  /** Undefined if they could not be read. */
  readonly objects: GrantObjects | undefined;
  /** What clients get when they log in. */
  readonly clients: readonly { readonly id: ClientId; readonly desired: DesiredAcl }[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const ANONYMOUS_ID = '00000000-0000-0000-0000-000000000002';

/** By kind, then the oldest first. */
export function reportTokens({ tokens, objects, clients, now }: TokenReportInput): readonly TokenReport[] {
  const powerOf = objects === undefined ? undefined : createPowers(objects);
  // The logins with the fewest rules first.
  const logins = clients
    .map(({ id, desired }) => ({ id, rules: singleRules(loginPower(desired)) ?? [] }))
    .toSorted((a, b) => a.rules.length - b.rules.length);
  const known = new Map<string, readonly ClientId[]>();
  const replacementsFor = (power: Power): readonly ClientId[] => {
    const rules = singleRules(power);
    if (rules === undefined) return [];
    const key = JSON.stringify(rules);
    const found =
      known.get(key) ?? logins.filter((login) => isWithin(rules, login.rules)).map(({ id }) => id);
    known.set(key, found);
    return found;
  };
  return tokens
    .map((aclToken): TokenReport => {
      const power = powerOf?.(aclToken);
      const kind = kindOf(aclToken);
      return {
        token: aclToken,
        kind,
        ageSeconds: Math.max(0, Math.floor((now - Date.parse(aclToken.createdAt)) / 1000)),
        can: power === undefined ? undefined : powerText(power),
        replaceableBy: power !== undefined && isStatic(kind) ? replacementsFor(power) : [],
      };
    })
    .toSorted(
      (a, b) =>
        TOKEN_KINDS.indexOf(a.kind) - TOKEN_KINDS.indexOf(b.kind) ||
        b.ageSeconds - a.ageSeconds ||
        compareText(a.token.accessorId, b.token.accessorId),
    );
}

/** How many there are of each kind. */
export function countTokens(tokens: readonly AclToken[]): Readonly<Record<TokenKind, number>> {
  const counts = { management: 0, static: 0, 'static-expiring': 0, anonymous: 0, login: 0 };
  for (const aclToken of tokens) counts[kindOf(aclToken)]++;
  return counts;
}

/** A token that somebody created for a purpose: not from a login, not anonymous, not a management token. */
export function isStatic(kind: TokenKind): boolean {
  return kind === 'static' || kind === 'static-expiring';
}

export function kindOf(aclToken: AclToken): TokenKind {
  if (aclToken.accessorId === ANONYMOUS_ID) return 'anonymous';
  if (aclToken.authMethod !== undefined) return 'login';
  if (aclToken.isManagement) return 'management';
  return aclToken.expiresAt === undefined ? 'static' : 'static-expiring';
}

function loginPower({ policies, roles }: DesiredAcl): Power {
  return {
    isManagement: false,
    rules: new Set(policies.map(({ rules }) => rules)),
    services: new Set(roles.flatMap(({ serviceIdentities }) => serviceIdentities)),
    more: new Set(),
  };
}
