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

/** Logins that are compared at most where none can replace a token. */
const MOST_NEAR = 20;
const IN_ONE_PIECE = 5;
const COMPARED_IN_ONE_PIECE = 50;

/** By kind, then the oldest first. */
export function* reportTokens({
  tokens,
  objects,
  clients,
  now,
}: TokenReportInput): Generator<void, readonly TokenReport[]> {
  const powerOf = objects === undefined ? undefined : createPowers(objects);
  yield;
  const byRule = yield* loginsByRule(clients);
  const known = new Map<string, Replacement>();
  const reports: TokenReport[] = [];
  for (const aclToken of tokens) {
    const power = powerOf?.(aclToken);
    const kind = kindOf(aclToken);
    let replacement: Replacement = { replaceableBy: [], beyond: [] };
    if (power !== undefined && isStatic(kind)) {
      const rules = singleRules(power);
      const key = JSON.stringify(rules ?? []);
      replacement =
        rules === undefined
          ? { replaceableBy: [], beyond: beyondLogins(power) }
          : (known.get(key) ?? (yield* replacementFor(rules, byRule)));
      if (rules !== undefined) known.set(key, replacement);
    }
    reports.push({
      token: aclToken,
      kind,
      ageSeconds: Math.max(0, Math.floor((now - Date.parse(aclToken.createdAt)) / 1000)),
      can: power === undefined ? undefined : powerText(power),
      services: power === undefined ? aclToken.serviceIdentities : servicesOf(power),
      ...replacement,
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

interface Login {
  readonly id: ClientId;
  readonly rules: readonly SingleRule[];
}

/** By each thing that they have a rule about, the logins with the fewest rules first. */
function* loginsByRule(
  clients: TokenReportInput['clients'],
): Generator<void, ReadonlyMap<string, readonly Login[]>> {
  const logins: Login[] = [];
  for (const { id, desired } of clients) {
    logins.push({ id, rules: singleRules(loginPower(desired)) ?? [] });
    if (logins.length % IN_ONE_PIECE === 0) yield;
  }
  logins.sort((a, b) => a.rules.length - b.rules.length);
  const byRule = new Map<string, Login[]>();
  for (const [at, login] of logins.entries()) {
    for (const key of new Set(login.rules.map(ruleKey))) {
      const known = byRule.get(key);
      if (known === undefined) byRule.set(key, [login]);
      else known.push(login);
    }
    if (at % COMPARED_IN_ONE_PIECE === 0) yield;
  }
  return byRule;
}

/** Only the logins with a rule about the thing that the fewest have a rule about are compared: no other one can replace the token. */
function* replacementFor(
  rules: readonly SingleRule[],
  byRule: ReadonlyMap<string, readonly Login[]>,
): Generator<void, Replacement> {
  // Every identity of a service has rules for all names.
  const named = rules.filter(({ name, isPrefix }) => name !== '' || isPrefix !== true);
  const found = (named.length === 0 ? rules : named).map((rule) => byRule.get(ruleKey(rule)) ?? []);
  const [candidates = []] = found
    .filter((logins) => logins.length > 0)
    .toSorted((a, b) => a.length - b.length);
  const isPossible = found.every((logins) => logins.length > 0);
  const able: ClientId[] = [];
  let nearest: TokenReport['nearest'];
  for (const [at, { id, rules: own }] of candidates.entries()) {
    if (!isPossible && at === MOST_NEAR) break;
    const lacks = lacking(rules, own);
    if (lacks.length === 0) able.push(id);
    if (nearest === undefined || lacks.length < nearest.lacks.length) nearest = { id, lacks };
    if (at % COMPARED_IN_ONE_PIECE === COMPARED_IN_ONE_PIECE - 1) yield;
  }
  if (able.length > 0 || nearest === undefined) return { replaceableBy: able, beyond: [] };
  return { replaceableBy: [], beyond: [], nearest };
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
