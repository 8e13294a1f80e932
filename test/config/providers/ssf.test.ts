import { describe, expect, it } from 'vitest';
import { faultsOf, loadText } from '../load-text.js';

const file = (ssf: string, provider = '') => `owner: payments
mode: observe
consul: { address: http://127.0.0.1:8500 }
providers:
  - name: main
    kind: oidc
    issuer: https://idp.example.com
    directory: https://idp.example.com/clients
    ${provider}
    ssf: ${ssf}
scopes: {}
`;
const faults = async (ssf: string, provider?: string) =>
  (await faultsOf(file(ssf, provider))).map((each) => each.replace(/^\d+:\d+: providers\[0\]\./, ''));
const PUSH = 'transmitter: https://idp.example.com, audience: us';

describe('shared signals in the configuration', () => {
  it('need a transmitter and an audience, and are pushed by default', async () => {
    const { providers } = await loadText(file(`{ ${PUSH} }`));
    expect(providers[0]?.ssf).toEqual({
      transmitter: 'https://idp.example.com',
      audiences: ['us'],
      delivery: 'push',
      pushTokens: [],
      verifyMs: 900_000,
    });
  });

  it('may be managed with a token, or as a client whose token the transmitter gives', async () => {
    const token = await loadText(file(`{ ${PUSH}, delivery: poll, token: abc }`));
    expect(token.providers[0]?.ssf?.credentials).toHaveProperty('token');
    const client = await loadText(
      file(
        '{ transmitter: https://idp.example.com, audience: [us, we], delivery: poll, clientId: me, clientSecret: abc }',
      ),
    );
    expect(client.providers[0]?.ssf).toMatchObject({
      audiences: ['us', 'we'],
      credentials: {
        clientId: 'me',
        tokenIssuer: 'https://idp.example.com',
        scope: 'ssf.read ssf.manage',
      },
    });
    expect(JSON.stringify(client)).not.toContain('abc');
  });

  it.each([
    ['delivery: poll', 'ssf: a poll needs credentials; write token, or clientId and clientSecret'],
    ['token: abc', 'ssf: the transmitter needs an address for events; write endpoint'],
    ['clientId: me', 'ssf.clientId: requires clientSecret; write both, or only token'],
    ['clientSecret: abc', 'ssf.clientSecret: requires clientId; write both, or only token'],
    [
      'delivery: poll, clientId: me, clientSecret: abc, token: abc',
      'ssf.token: cannot be combined with clientId; keep one of the two',
    ],
    [
      'delivery: poll, token: abc, pushTokens: [abc]',
      'ssf.pushTokens: have no use with "delivery: poll"; remove them, or write "delivery: push"',
    ],
  ])('with %s name what is missing', async (keys, fault) => {
    expect(await faults(`{ ${PUSH}, ${keys} }`)).toEqual([fault]);
  });

  it.each(['transmitter', 'tokenIssuer', 'endpoint'])(
    'with a %s in plain http are refused, unless the provider is insecure',
    async (key) => {
      const base = {
        transmitter: 'https://idp.example.com',
        audience: 'us',
        [key]: 'http://idp.example.com',
      };
      expect(await faults(JSON.stringify(base))).toEqual([
        `ssf.${key}: plain http to a host that is not loopback; use https, or set "insecure: true" on this provider`,
      ]);
      expect(await faults(JSON.stringify(base), 'insecure: true')).toEqual([]);
      expect(await faults(JSON.stringify({ ...base, [key]: 'http://127.0.0.1:8080' }))).toEqual([]);
    },
  );
});
