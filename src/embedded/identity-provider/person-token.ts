import { randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { Clock } from '../../clock.js';
import type { StoredClient } from './client-store.js';
import type { SigningKey } from './oidc-provider.js';
import type { StoredPerson } from './person-store.js';

/** Signs a person's access token, as a client would get it from a login page, which this server does not have. */
export type SignPersonToken = (person: StoredPerson, client: StoredClient) => Promise<string>;

/** RFC 9068, with the person's groups. */
export function createPersonTokens(options: {
  readonly issuer: string;
  readonly audience: string;
  readonly signingKey: SigningKey;
  readonly clock: Clock;
}): SignPersonToken {
  const { issuer, audience, signingKey, clock } = options;
  return (person, client) => {
    const iat = Math.floor(clock.now() / 1000);
    const claims: JWTPayload = {
      iss: issuer,
      aud: audience,
      sub: person.subject,
      client_id: client.clientId,
      groups: [...person.groups],
      jti: randomUUID(),
      iat,
      exp: iat + client.accessTokenLifetimeSeconds,
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: signingKey.kid })
      .sign(signingKey.privateKey);
  };
}
