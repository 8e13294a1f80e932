import { needsAclObjects } from '../../acl/apply/acl-state.js';
import { readTokenDays } from '../../acl/job/token-counts.js';
import { countTokens, isStatic, TOKEN_KINDS, type TokenReport } from '../../acl/plan/token-report.js';
import { insteadOf, readTokens } from '../../app/read-tokens.js';
import type { ClientId } from '../../plan/world.js';
import type { TokenRow, Tokens } from '../answers.js';
import { pageOf } from './page-of.js';
import { beginAnswer, type ConsoleParts, displayName, shownClient } from './parts.js';

const MOST = 20;
const MOST_TEXT = 300;
/** More than the milliseconds of any instant. */
const KIND = 1e14;

export interface TokensQuery {
  readonly kind: 'static' | 'management' | 'anonymous' | 'login';
  readonly q: string;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** Everything that `/api/tokens` answers from: one read of Consul for everybody who asks meanwhile. */
export async function readTokenList(parts: ConsoleParts, signal: AbortSignal) {
  const head = await beginAnswer(parts);
  const { deps } = parts.live();
  const [read, days] = await Promise.all([readTokens(deps, signal), readTokenDays(parts.store.keyValues)]);
  const { rulesTrouble } = read;
  const unknown = [
    ...head.unknown,
    ...(rulesTrouble === undefined ? [] : [`What the tokens may do cannot be read: ${rulesTrouble}`]),
  ];
  const claiming = new Map<string, ClientId>();
  for (const claim of deps.world.claimStatuses(deps.clock.now()).values())
    if (claim.kind === 'claimed') claiming.set(displayName(claim.service, parts.config), claim.client);
  const others = read.reports.flatMap(({ token }) => (token.accessorId === read.ownId ? [] : [token]));
  const more = { counts: countTokens(others), givesTokens: needsAclObjects(deps.world.mapping) };
  return { ...head, ...read, ...more, days, claiming, unknown, complete: unknown.length === 0 };
}

/** `GET /api/tokens`: a page of what `scopemesh tokens` lists, in the same order. */
export function answerTokens(
  {
    asOf,
    complete,
    unknown,
    reports,
    counts,
    givesTokens,
    ownId,
    days,
    claiming,
  }: Awaited<ReturnType<typeof readTokenList>>,
  { kind, q, cursor, limit }: TokensQuery,
): Tokens {
  const part = q.toLowerCase();
  const found = reports.filter(
    (each) =>
      (each.kind === kind || (kind === 'static' && isStatic(each.kind))) &&
      (part === '' || textsOf(each).some((text) => text.toLowerCase().includes(part))),
  );
  const placeOf = ({ kind: own, token }: TokenReport) => ({
    value: (TOKEN_KINDS.length - TOKEN_KINDS.indexOf(own)) * KIND - Date.parse(token.createdAt),
    name: token.accessorId,
  });
  const page = pageOf(found, placeOf, { cursor, limit });
  const toRow = (report: TokenReport): TokenRow => {
    const { token, can, services } = report;
    const instead = insteadOf(report, complete);
    return {
      ...{ accessorId: token.accessorId, kind: report.kind, inUseHere: token.accessorId === ownId },
      ...{ description: cut(token.description), authMethod: token.authMethod ?? null },
      ...{ createdAt: token.createdAt, expiresAt: token.expiresAt ?? null },
      services: services
        .slice(0, MOST)
        .map((name) => ({ name: cut(name), client: shownClient(claiming.get(name)) })),
      can: can?.slice(0, MOST).map(cut) ?? null,
      rules: can?.length ?? 0,
      replaceableBy: shownClient(report.replaceableBy[0]),
      instead: instead === undefined || token.accessorId === ownId ? null : cut(instead),
    };
  };
  return {
    ...{ asOf, complete, unknown, counts, givesTokens, days },
    replaceable: reports.filter(({ replaceableBy }) => replaceableBy.length > 0).length,
    ...page,
    rows: page.rows.map(toRow),
  };
}

function textsOf({ token, can = [] }: TokenReport): readonly string[] {
  return [token.accessorId, token.description, ...token.policies, ...token.roles, ...can];
}

const cut = (text: string) => (text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`);
