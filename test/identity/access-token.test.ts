import { ClientSecretPost } from 'openid-client';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RefusedCredentials } from '../../src/errors.js';
import { createAccessTokenSource } from '../../src/identity/access-token.js';
import type { HttpAnswer } from '../../src/identity/http-client.js';

const ISSUER = 'https://idp.example.com';
const signal = new AbortController().signal;

const answer = (status: number, body: object): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: new TextEncoder().encode(JSON.stringify(body)),
});

const sourceAt = (answerOf: (url: URL) => HttpAnswer) =>
  createAccessTokenSource({
    provider: 'main',
    issuer: new URL(ISSUER),
    clientId: 'scopemesh',
    authentication: ClientSecretPost('only-the-endpoint-sees-this'),
    remedy: 'check clientId',
    http: { request: async (url) => answerOf(url), close: async () => {} },
    clock: systemClock,
  });

it('sends no secret to a token endpoint without encryption if the issuer has it', async () => {
  const asked: string[] = [];
  const source = sourceAt((url) => {
    asked.push(url.href);
    return answer(200, { issuer: ISSUER, token_endpoint: 'http://idp.example.com/token' });
  });
  await expect(source.get(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  expect(asked).toEqual([`${ISSUER}/.well-known/openid-configuration`]);
});

/** What the source says where the token endpoint answers so. */
async function refusal(status: number, json: object): Promise<unknown> {
  const source = sourceAt((url) =>
    url.pathname === '/token'
      ? answer(status, json)
      : answer(200, { issuer: ISSUER, token_endpoint: `${ISSUER}/token` }),
  );
  return source.get(signal).catch((error: unknown) => error);
}

describe('a failed request for an access token', () => {
  it('is denied only if the client is refused', async () => {
    expect(await refusal(401, { error: 'invalid_client' })).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
    const ill = { error: 'temporarily_unavailable' };
    for (const status of [500, 503])
      expect(await refusal(status, ill)).toMatchObject({
        code: 'ERR_DIRECTORY_UNREACHABLE',
        retriable: true,
      });
    expect(await refusal(429, ill)).toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED' });
  });

  it.each(['the token endpoint', 'a gateway before it'])(
    'waits as long as %s states, up to a minute',
    async (who) => {
      const text = who.startsWith('a gateway') ? '<html>' : '{"error":"too_many_requests"}';
      const limited = (after: string) =>
        sourceAt((url) =>
          url.pathname === '/token'
            ? {
                status: 429,
                headers: { 'content-type': 'text/html', 'retry-after': after },
                body: new TextEncoder().encode(text),
              }
            : answer(200, { issuer: ISSUER, token_endpoint: `${ISSUER}/token` }),
        ).get(signal);
      const code = 'ERR_DIRECTORY_RATE_LIMITED';
      await expect(limited('7')).rejects.toMatchObject({ code, retryAfterMs: 7_000 });
      await expect(limited('3600')).rejects.toMatchObject({ code, retryAfterMs: 60_000 });
      await expect(limited('Fri, 01 Jan 2100 00:00:00 GMT')).rejects.toMatchObject({ retryAfterMs: 60_000 });
      await expect(limited('Thu, 01 Jan 1970 00:00:00 GMT')).rejects.toMatchObject({ retryAfterMs: 0 });
    },
  );

  it('is a fault of the client itself, or of the scope that it asks for', async () => {
    for (const error of ['invalid_client', 'unauthorized_client', 'invalid_dpop_proof'])
      expect(await refusal(400, { error })).toBeInstanceOf(RefusedCredentials);
    expect(await refusal(401, { error: 'access_denied' })).toBeInstanceOf(RefusedCredentials);
    for (const error of ['invalid_scope', 'access_denied', 'invalid_target', 'anything'])
      expect(await refusal(400, { error })).not.toBeInstanceOf(RefusedCredentials);
  });

  it('quotes neither the answer of the endpoint nor the request', async () => {
    const error = await refusal(400, { error: 'invalid_scope', error_description: 'said-by-the-endpoint' });
    expect(String(error)).toContain('invalid_scope');
    for (const text of ['said-by-the-endpoint', 'only-the-endpoint-sees-this'])
      expect(`${error} ${JSON.stringify(error)}`).not.toContain(text);
  });
});
