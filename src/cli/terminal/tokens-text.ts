import { isStatic, TOKEN_KINDS, type TokenKind, type TokenReport } from '../../acl/plan/token-report.js';
import { insteadOf } from '../../app/read-tokens.js';
import { durationText } from './duration-text.js';
import { bounded, columns, printable, type Screen } from './screen.js';

export type TokenCounts = Readonly<Record<TokenKind, number>>;

const DESCRIPTION_LIMIT = 60;
const LINE_LIMIT = 160;

/** Two to four lines for each token: kind, links, permissions, and the login that could replace it. */
export function printTokens(
  reports: readonly TokenReport[],
  counts: TokenCounts,
  facts: {
    readonly now: number;
    /** Accessor ID of the token that read the list. */
    readonly ownId: string | undefined;
    readonly rulesTrouble: string | undefined;
    /** Providers that could not be read, and why. */
    readonly unread: ReadonlyMap<string, string>;
  },
  screen: Screen,
): void {
  const { colors } = screen;
  const heads = columns(
    reports.map(({ kind, ageSeconds, token }) => [
      kind,
      `${durationText(ageSeconds)} old`,
      endText(token.expiresAt, facts.now),
      printable(token.accessorId),
      bounded(token.description, DESCRIPTION_LIMIT),
    ]),
  );
  for (const [at, report] of reports.entries()) {
    const { token, kind, can } = report;
    const instead = insteadOf(report, facts.unread.size === 0);
    screen.line(isStatic(kind) ? colors.yellow(heads[at] ?? '') : (heads[at] ?? ''));
    const fact = (name: string, text: string) =>
      screen.line(`  ${colors.dim(name.padEnd(8))} ${bounded(text, LINE_LIMIT)}`);
    const links = [
      ['login', token.authMethod === undefined ? [] : [token.authMethod]],
      ['roles', token.roles],
      ['policies', token.policies],
      ['services', token.serviceIdentities],
      ['nodes', token.nodeIdentities],
      ['templates', token.templatedPolicies],
    ] as const;
    const shown = links.filter(([, names]) => names.length > 0);
    if (shown.length > 0) fact('by', shown.map(([word, names]) => `${word} ${names.join(', ')}`).join('; '));
    if (can !== undefined) fact('may', can.length === 0 ? 'nothing' : can.join('; '));
    if (token.accessorId === facts.ownId) fact('note', 'scopemesh uses it here');
    else if (instead !== undefined) fact('instead', instead);
  }
  if (reports.length > 0) screen.line();
  if (facts.rulesTrouble !== undefined)
    screen.line(
      colors.yellow(`The permissions of the tokens are not shown: ${printable(facts.rulesTrouble)}`),
    );
  for (const [provider, why] of facts.unread)
    screen.line(
      colors.yellow(`The clients of ${provider} were not checked as replacements: ${printable(why)}`),
    );
  const sum = TOKEN_KINDS.map((kind) => `${counts[kind]} ${kind}`);
  screen.line(colors.bold(`Tokens: ${sum.join(', ')}.`));
}

function endText(expiresAt: string | undefined, now: number): string {
  if (expiresAt === undefined) return 'does not expire';
  const seconds = (Date.parse(expiresAt) - now) / 1000;
  return seconds <= 0 ? 'expired' : `expires in ${durationText(seconds)}`;
}
