import { ClientSecretPost } from 'openid-client';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
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

  it('quotes neither the answer of the endpoint nor the request', async () => {
    const error = await refusal(400, { error: 'invalid_scope', error_description: 'said-by-the-endpoint' });
    expect(String(error)).toContain('invalid_scope');
    for (const text of ['said-by-the-endpoint', 'only-the-endpoint-sees-this'])
      expect(`${error} ${JSON.stringify(error)}`).not.toContain(text);
  });
});
