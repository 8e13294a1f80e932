// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffConfig } from '../../../config/mapping-revision.js';
import { errorOf, fileWith, loadText } from '../load-text.js';

const SECRET = 'hunter2-of-the-mesh';
const EVERYWHERE = `consul: { address: "http://c:8500", token: "\${SECRET}" }
providers:
  - { name: a, kind: keycloak, issuer: "https://a", clientId: c, clientSecret: "\${SECRET}", webhook: { secrets: ["\${SECRET}"] } }
  - { name: b, kind: oidc, issuer: "https://b", directory: d, directoryToken: "\${file:token}" }
queue: { kind: bullmq, url: "redis://:\${SECRET}@r" }
decisions: { kind: kafka, brokers: ["k:1"], signingKeyFile: key.pem, sasl: { mechanism: plain, username: u, password: "\${SECRET}" } }
http: { tokens: [{ name: t, token: "\${SECRET}-of-at-least-32-characters" }] }
scopes: { "orders:read": { to: orders, provider: a } }`;

function load(secret: string) {
  const inputs = { environment: { SECRET: secret }, files: { '/etc/scopemesh/token': `${secret}\n` } };
  return loadText(fileWith(EVERYWHERE, 'consul', 'providers', 'scopes'), inputs);
}

describe('Secrets', () => {
  it('are in the configuration, and appear in no print of it', async () => {
    const config = await load(SECRET);

    expect(config.consul.token?.reveal()).toBe(SECRET);
    expect(
      config.providers.map((p) =>
        (p.kind === 'keycloak' ? p.clientSecret : p.kind === 'oidc' ? p.directoryToken : undefined)?.reveal(),
      ),
    ).toEqual([SECRET, SECRET]);
    expect(JSON.stringify(config)).not.toContain('hunter2');
    expect(inspect(config, { depth: null, showHidden: true })).not.toContain('hunter2');
  });

  it('that changed are reported as changed and stay masked', async () => {
    const changes = diffConfig(await load(SECRET), await load(`${SECRET}-rotated`));

    expect(changes.map(({ path }) => path)).toEqual([
      'consul.token',
      'decisions.sasl.password',
      'http.tokens',
      'providers.a.clientSecret',
      'providers.a.webhookSecrets',
      'providers.b.directoryToken',
      'queue.url',
    ]);
    expect(JSON.stringify(changes)).not.toContain('hunter2');
    expect(inspect(changes, { depth: null })).not.toContain('hunter2');
  });

  it('that came to any key by mistake appear in no error, whatever is wrong with them', async () => {
    const keys = [
      'owner: %',
      'mode: %',
      'consul: { address: % }',
      'consul: %',
      'providers: [{ name: %, kind: %, issuer: %, clientId: 1, clientSecret: % }]',
      'providers: [{ name: b, kind: oidc, issuer: %, directory: %, directoryToken: %, webhook: { secrets: [%, 5] }, poll: % }]',
      'scopes: { a: { to: %, methods: [%], path: %, rawPath: %, pathRegex: %, user: %, actors: [%], provider: %, headers: [{ name: %, regex: % }] } }',
      'scopes: { a: %, b: [%] }',
      'login: %',
      'actors: { classify: [{ clientId: %, kind: % }], agent: { maxTokenTtl: %, never: [%], onBehalfOf: % } }',
      'guards: { maxRevocations: { percent: %, atLeast: %, window: % }, protected: [%], freeze: [{ schedule: %, duration: %, timeZone: % }] }',
      'queue: { kind: bullmq, url: % }',
      'decisions: { kind: kafka, brokers: [%], topic: %, tls: %, sasl: { mechanism: %, username: %, password: 5 } }',
      'http: { listen: % }',
    ];
    const wrapped = fc.constantFrom(
      (text: string) => text,
      (text: string) => `{${text}}`,
      (text: string) => `*${text}\n`,
      (text: string) => `http://user:${text}@x y`,
      (text: string) => `(${text}`,
      (text: string) => `(?=${text})`,
    );
    const written = fc.constantFrom('"${SECRET}"', '"x${SECRET}"', '"${file:token}"');

    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...keys), wrapped, written, async (key, wrap, reference) => {
        const value = wrap(SECRET);
        const error = await errorOf(fileWith(key.replaceAll('%', reference), key.split(':')[0] ?? ''), {
          environment: { SECRET: value },
          files: { '/etc/scopemesh/token': value },
        });

        expect(inspect(error, { depth: null })).not.toContain('hunter2');
        expect(JSON.stringify([error])).not.toContain('hunter2');
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    `clientSecret: "${SECRET}`,
    `clientSecret: *${SECRET}`,
    `clientSecret: !${SECRET}`,
    `clientSecret: @${SECRET}`,
    `clientSecret: "\\${SECRET}"`,
    `clientSecret: | ${SECRET}`,
    `clientSecret: [${SECRET}}`,
    `%${SECRET}\n---\na: b`,
    `clientSecret: %${SECRET}`,
    `clientSecret: {${SECRET}}`,
    `clientSecret: &${SECRET} !${SECRET}`,
    `clientSecret: "a" ${SECRET}`,
    `clientSecret: >${SECRET}`,
    `clientSecret: ${SECRET}: b`,
    `- clientSecret: ${SECRET}\n b`,
  ])('that break the syntax appear in no error: %s', async (text) => {
    const error = await errorOf(text);

    expect(error).toBeDefined();
    expect(inspect(error, { depth: null })).not.toContain('hunter2');
  });
});
