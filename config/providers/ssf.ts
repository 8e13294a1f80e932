import { z } from 'zod';
import { definedFields } from '../../src/model/defined-fields.js';
import { duration, secret, text, url } from '../fields.js';

export const SSF_DELIVERIES = ['push', 'poll'] as const;

/** The shared-signals stream of one provider. */
export type SsfSettings = ReturnType<typeof toSsf>;

export const SSF = z
  .strictObject({
    transmitter: url('https:', 'http:').describe(
      'The issuer of the events, exactly as its ssf-configuration names it.',
    ),
    audience: z
      .union([text(), z.array(text()).min(1, 'must hold at least one audience')])
      .describe('The name of this receiver at the transmitter: the aud of its events.'),
    delivery: z
      .enum(SSF_DELIVERIES)
      .prefault('push')
      .describe('Whether the transmitter sends events (RFC 8935) or they are fetched (RFC 8936).'),
    endpoint: url('https:', 'http:')
      .exactOptional()
      .describe(
        'For push: the URL of POST /events/<name> as the transmitter reaches it. scopemesh sends it with the stream.',
      ),
    pushTokens: z
      .array(secret())
      .min(1, 'must hold at least one token; several are accepted during a rotation')
      .exactOptional()
      .describe(
        'For push: the bearer tokens that its requests may carry. Each is tried in turn; the first is sent to the transmitter.',
      ),
    token: secret()
      .exactOptional()
      .describe('A token for its management API and the poll; or clientId and clientSecret.'),
    clientId: text().exactOptional().describe('The client that obtains a token for the same purpose.'),
    clientSecret: secret().exactOptional().describe('Its secret.'),
    tokenIssuer: url('https:', 'http:')
      .exactOptional()
      .describe('The issuer of tokens for clientId; by default the transmitter.'),
    scope: z
      .string()
      .max(1024)
      .prefault('ssf.read ssf.manage')
      .describe('The scopes of that token; "" asks for none.'),
    verify: duration('1m', '1d')
      .prefault('15m')
      .describe('How often the transmitter is asked to prove that events arrive.'),
  })
  .superRefine((ssf, context) => {
    const fault = (message: string, ...path: readonly string[]) =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const hasClient = ssf.clientId !== undefined && ssf.clientSecret !== undefined;
    for (const [one, other] of [
      ['clientId', 'clientSecret'],
      ['clientSecret', 'clientId'],
    ] as const)
      if (ssf[one] !== undefined && ssf[other] === undefined)
        fault(`requires ${other}; write both, or only token`, one);
    if (ssf.token !== undefined && hasClient)
      fault('cannot be combined with clientId; keep one of the two', 'token');
    const isManaged = ssf.token !== undefined || hasClient;
    if (ssf.delivery === 'poll' && !isManaged)
      fault('a poll needs credentials; write token, or clientId and clientSecret');
    if (ssf.delivery === 'poll' && ssf.pushTokens !== undefined)
      fault('have no use with "delivery: poll"; remove them, or write "delivery: push"', 'pushTokens');
    if (ssf.delivery === 'push' && isManaged && ssf.endpoint === undefined)
      fault('the transmitter needs an address for events; write endpoint');
  })
  .describe('Shared signals (SSF 1.0, CAEP, RISC) about what happens to sessions, credentials and accounts.');

export function toSsf(parsed: z.output<typeof SSF>) {
  const { transmitter, delivery, endpoint, pushTokens = [] } = parsed;
  return {
    transmitter,
    audiences: [parsed.audience].flat(),
    delivery,
    pushTokens,
    ...definedFields({ endpoint, credentials: credentialsOf(parsed) }),
    verifyMs: parsed.verify,
  };
}

/** Undefined if the stream is created manually. */
function credentialsOf(parsed: z.output<typeof SSF>) {
  const { token, clientId, clientSecret, tokenIssuer = parsed.transmitter, scope } = parsed;
  if (token !== undefined) return { token };
  if (clientId === undefined || clientSecret === undefined) return undefined;
  return { clientId, clientSecret, tokenIssuer, scope };
}
