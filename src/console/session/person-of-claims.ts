import type { ConsoleRoles } from '../../../config/console-settings.js';
import { PERSONS_ROLES } from '../../daemon/rights.js';
import { sessionsOfLogin, sessionsOfPerson, sessionsOfProvider } from '../../model/session-names.js';
import type { SignedIn } from './oidc-client.js';
import type { Entrant } from './sessions.js';

/** A `sub` has up to 255 characters (OpenID Connect Core 1.0, section 2). */
const SUBJECT = /^[^\p{C}()]{1,255}$/u;
const MOST_OF_NAME = 100;

/** Whoever the claims describe, with the roles that they give; undefined without a `sub` that can name a person. */
export function personOfClaims(
  provider: string,
  { claims, idToken }: SignedIn,
  roles: ConsoleRoles,
  now: number,
): Entrant | undefined {
  const { sub, sid, oid, auth_time: signedInAt } = claims;
  if (typeof sub !== 'string' || !SUBJECT.test(sub)) return undefined;
  const given = [claims[roles.claim]].flat().filter((value) => typeof value === 'string');
  const note = namesIn(claims).join(', ');
  return {
    principal: { id: sessionsOfPerson(provider, sub), ...(note === '' ? {} : { note }) },
    roles: PERSONS_ROLES.filter((role) =>
      roles[role].some((value) => value === '*' || given.includes(value)),
    ),
    login: {
      provider,
      names: [
        sessionsOfProvider(provider),
        // Entra ID names a person so in its directory; the `sub` is another one for each client.
        ...(typeof oid === 'string' && SUBJECT.test(oid) ? [sessionsOfPerson(provider, oid)] : []),
        ...(typeof sid === 'string' ? [sessionsOfLogin(provider, sid)] : []),
      ],
      at: typeof signedInAt === 'number' ? Math.min(signedInAt * 1000, now) : 0,
      idToken,
    },
  };
}

/** Every name that could be the one of a token or of another account, for `isSamePerson`. A comma parts them. */
function namesIn({ preferred_username: user, email, name }: SignedIn['claims']): readonly string[] {
  const texts = [user, email, name].filter((value) => typeof value === 'string');
  const clean = texts.map((text) =>
    text
      .replace(/[(),\p{C}]/gu, '_')
      .trim()
      .slice(0, MOST_OF_NAME),
  );
  return [...new Set(clean)].filter((text) => text !== '');
}
