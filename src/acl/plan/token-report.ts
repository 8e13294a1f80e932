import type { AclToken } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import type { ClientId } from '../../plan/world.js';
import type { DesiredAcl } from './login.js';
import {
  beyondLogins,
  createPowers,
  type GrantObjects,
  lacking,
  type Power,
  powerText,
  ruleKey,
  type SingleRule,
  servicesOf,
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
  /** The services that it can register. */
  readonly services: readonly string[];
  /** Clients whose login certainly grants what a static token grants, the least additional power first; empty if none is known. */
  readonly replaceableBy: readonly ClientId[];
  /** If no login replaces a static token: the one that lacks least of what the token grants, and what it lacks. */
  readonly nearest?: { readonly id: ClientId; readonly lacks: readonly string[] };
  /** What a static token grants that no login grants. */
  readonly beyond: readonly string[];
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

const IN_ONE_PIECE = 50;

/** By kind, then the oldest first. */
export function* reportTokens({
  tokens,
  objects,
  clients,
  now,
}: TokenReportInput): Generator<void, readonly TokenReport[]> {
  const powerOf = objects === undefined ? undefined : createPowers(objects);
  yield;
  const replacementOf = createReplacements(clients);
  yield;
  const reports: TokenReport[] = [];
  for (const aclToken of tokens) {
    const power = powerOf?.(aclToken);
    const kind = kindOf(aclToken);
    reports.push({
      token: aclToken,
      kind,
      ageSeconds: Math.max(0, Math.floor((now - Date.parse(aclToken.createdAt)) / 1000)),
      can: power === undefined ? undefined : powerText(power),
      services: power === undefined ? aclToken.serviceIdentities : servicesOf(power),
      ...(power !== undefined && isStatic(kind) ? replacementOf(power) : NO_REPLACEMENT),
    });
    if (reports.length % IN_ONE_PIECE === 0) yield;
  }
  return reports.toSorted(
    (a, b) =>
      TOKEN_KINDS.indexOf(a.kind) - TOKEN_KINDS.indexOf(b.kind) ||
      b.ageSeconds - a.ageSeconds ||
      compareText(a.token.accessorId, b.token.accessorId),
  );
}

type Replacement = Pick<TokenReport, 'replaceableBy' | 'nearest' | 'beyond'>;
const NO_REPLACEMENT: Replacement = { replaceableBy: [], beyond: [] };

interface Login {
  readonly id: ClientId;
  readonly rules: readonly SingleRule[];
}

/** A function for what replaces a power. */
function createReplacements(clients: TokenReportInput['clients']): (power: Power) => Replacement {
  // The logins with the fewest rules first.
  const logins = clients
    .map(({ id, desired }): Login => ({ id, rules: singleRules(loginPower(desired)) ?? [] }))
    .toSorted((a, b) => a.rules.length - b.rules.length);
  const byRule = new Map<string, Login[]>();
  for (const login of logins)
    for (const key of new Set(login.rules.map(ruleKey))) {
      const known = byRule.get(key);
      if (known === undefined) byRule.set(key, [login]);
      else known.push(login);
    }
  const known = new Map<string, Replacement>();
  return (power) => {
    const rules = singleRules(power);
    if (rules === undefined) return { replaceableBy: [], beyond: beyondLogins(power) };
    const key = JSON.stringify(rules);
    const found = known.get(key) ?? replacementFor(rules, byRule);
    known.set(key, found);
    return found;
  };
}

/** Only the logins with a rule about the thing that the fewest have a rule about are compared: no other one can replace the token. */
function replacementFor(
  rules: readonly SingleRule[],
  byRule: ReadonlyMap<string, readonly Login[]>,
): Replacement {
  // Every identity of a service has rules for all names.
  const named = rules.filter(({ name, isPrefix }) => name !== '' || isPrefix !== true);
  const [candidates = []] = (named.length === 0 ? rules : named)
    .flatMap((rule) => [byRule.get(ruleKey(rule)) ?? []])
    .filter((logins) => logins.length > 0)
    .toSorted((a, b) => a.length - b.length);
  const compared = candidates.map((login) => ({ id: login.id, lacks: lacking(rules, login.rules) }));
  const able = compared.filter(({ lacks }) => lacks.length === 0);
  if (able.length > 0) return { replaceableBy: able.map(({ id }) => id), beyond: [] };
  const [nearest] = compared.toSorted((a, b) => a.lacks.length - b.lacks.length);
  return { replaceableBy: [], beyond: [], ...(nearest === undefined ? {} : { nearest }) };
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
