import { z } from 'zod';
import { definedFields } from '../src/model/defined-fields.js';
import { isLoopback } from '../src/model/is-loopback.js';
import type { Secret } from '../src/model/secret.js';
import { duration, name, parseUrl, secret, text, url } from './fields.js';

const LOGIN = z.strictObject({
  provider: name().describe('The name of a provider of this file.'),
  clientId: text().describe('A client of its own for the console.'),
  clientSecret: secret(),
  scopes: z.array(text()).prefault(['openid', 'profile']),
});

const names = () => z.array(text()).prefault([]);

/** The schema of `http.console`. */
export const CONSOLE = z
  .strictObject({
    url: url('https:', 'http:')
      .exactOptional()
      .describe('Where browsers find the console; plain http only on loopback hosts.'),
    login: z.array(LOGIN).prefault([]).describe('Where persons sign in.'),
    roles: z
      .strictObject({
        claim: text().prefault('groups'),
        viewer: names(),
        approver: names(),
        operator: names(),
      })
      .prefault({})
      .describe('Which values of a claim give which role; "*" is everybody who signs in.'),
    session: z
      .strictObject({
        idle: duration('1m', '1d').prefault('30m'),
        longest: duration('5m', '7d').prefault('8h'),
        fresh: duration('1m', '1d').prefault('15m'),
      })
      .prefault({}),
    groupBy: z
      .array(
        text().regex(
          /^(meta\..+|namespace|provider|prefix)$/,
          'must be meta.KEY, namespace, provider or prefix',
        ),
      )
      .prefault(['prefix'])
      .describe(
        'How the map groups services: meta.KEY, namespace, provider, prefix; the first that a service has.',
      ),
    name: text().exactOptional().describe('The name that the page shows; by default the owner.'),
  })
  .superRefine(({ url: address, login }, context) => {
    const fault = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const parsed = typeof address === 'string' ? parseUrl(address) : undefined;
    if (parsed?.protocol === 'http:' && !isLoopback(parsed.hostname))
      fault(['url'], 'is plain http to a host that is not loopback; use https');
    if (parsed !== undefined && parsed.pathname !== '/')
      fault(['url'], 'has a path; the console needs a host of its own');
    if (login.length > 0 && address === undefined)
      fault(
        ['url'],
        'is missing; a login needs the address to which the identity provider sends people back',
      );
    for (const [index, { provider, scopes }] of login.entries()) {
      if (login.findIndex((each) => each.provider === provider) < index)
        fault(['login', index, 'provider'], 'has a login already; remove one of the two');
      if (!scopes.includes('openid')) fault(['login', index, 'scopes'], 'lack openid; add it');
    }
  });

export interface ConsoleLogin {
  readonly provider: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scopes: readonly string[];
}

export interface ConsoleRoles {
  readonly claim: string;
  readonly viewer: readonly string[];
  readonly approver: readonly string[];
  readonly operator: readonly string[];
}

export interface ConsoleSettings {
  /** Without a `/` at its end. */
  readonly origin?: string;
  readonly login: readonly ConsoleLogin[];
  readonly roles: ConsoleRoles;
  readonly idleMs: number;
  readonly longestMs: number;
  /** A login older than this only reads. */
  readonly freshMs: number;
  /** `meta.KEY`, `namespace`, `provider` or `prefix`: the first for which a service has a value. */
  readonly groupBy: readonly string[];
  readonly name?: string;
}

export function toConsole(parsed: z.output<typeof CONSOLE>): ConsoleSettings {
  const { url: address, session, login, roles, groupBy, name: shown } = parsed;
  const origin = address === undefined ? undefined : parseUrl(address)?.origin;
  return {
    ...definedFields({ origin, name: shown }),
    login,
    roles,
    groupBy,
    idleMs: session.idle,
    longestMs: session.longest,
    freshMs: session.fresh,
  };
}
