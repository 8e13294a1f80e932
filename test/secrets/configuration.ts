import type { Planted } from './planted.js';

export const TENANT = '2f6c1a9e-0b7d-4c53-8e21-5d9a4b3c7f10';
const APP = '7d1e5b02-93c4-4f8a-b6d0-1c2e3f4a5b6c';

/** Secrets come to the configuration by `${NAME}` and `${file:PATH}`. */
const NAMED = {
  CONSUL_TOKEN: 'consul token',
  KEYCLOAK_SECRET: 'keycloak client secret',
  KEYCLOAK_WEBHOOK: 'keycloak webhook secret',
  OKTA_API_TOKEN: 'okta api token',
  OKTA_HOOK: 'okta hook secret',
  ENTRA_SECRET: 'entra client secret',
  ENTRA_STATE: 'entra client state',
  AUTH0_SECRET: 'auth0 client secret',
  WEBHOOK: 'webhook secret',
  SIGNING: 'signing secret of a webhook',
  SSF_SECRET: 'ssf client secret',
  SSF_TOKEN: 'ssf token',
  SSF_PUSH: 'ssf push token',
  HTTP_TOKEN: 'http token',
  HOOK_PATH: 'token in the address of a webhook',
  KAFKA_PASSWORD: 'kafka password',
  TELEMETRY: 'telemetry token',
};

/** `redis`: HOST:PORT. */
export function environmentOf(planted: Planted, redis: string): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(Object.entries(NAMED).map(([name, secret]) => [name, planted.of(secret)])),
    REDIS_URL: `redis://user:${encodeURIComponent(planted.of('redis password'))}@${redis}`,
  };
}
const ref = (name: keyof typeof NAMED) => `\${${name}}`;

/** `at`: the address of all providers. */
export function configurationOf({
  at,
  consul,
  listen,
}: {
  readonly at: string;
  readonly consul: string;
  readonly listen: string;
}): Readonly<Record<string, unknown>> {
  const often = { poll: '100ms', fullRead: '1s' };
  const ssf = { transmitter: `${at}/ssf`, audience: 'scopemesh', tokenIssuer: `${at}/ssf` };
  const providers = [
    {
      name: 'kc',
      kind: 'keycloak',
      issuer: `${at}/realms/main`,
      clientId: 'scopemesh',
      clientSecret: ref('KEYCLOAK_SECRET'),
      webhook: { secrets: [ref('KEYCLOAK_WEBHOOK')] },
    },
    {
      name: 'okta',
      kind: 'okta',
      issuer: `${at}/oauth2/default`,
      org: at,
      clientId: 'okta-app',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
      privateKey: '${file:okta.pem}',
      keyId: 'key',
      apis: [`${at}/oauth2/default`],
      webhook: { secrets: [ref('OKTA_HOOK')] },
    },
    {
      name: 'okta-token',
      kind: 'okta',
      issuer: `${at}/oauth2/default`,
      apiToken: ref('OKTA_API_TOKEN'),
      apis: [`${at}/oauth2/default`],
    },
    {
      name: 'entra',
      kind: 'entra',
      issuer: `${at}/${TENANT}/v2.0`,
      graph: `${at}`,
      clientId: APP,
      clientSecret: ref('ENTRA_SECRET'),
      apis: ['orders'],
      webhook: { url: `http://${listen}/events/entra`, secrets: [ref('ENTRA_STATE')] },
    },
    {
      name: 'entra-federated',
      kind: 'entra',
      issuer: `${at}/${TENANT}/v2.0`,
      graph: `${at}`,
      clientId: APP,
      federatedTokenFile: './entra-token',
      apis: ['orders'],
    },
    {
      name: 'entra-certificate',
      kind: 'entra',
      issuer: `${at}/${TENANT}/v2.0`,
      graph: `${at}`,
      clientId: APP,
      certificate: { certFile: './entra.crt', keyFile: './entra.key' },
      apis: ['orders'],
    },
    {
      name: 'auth0',
      kind: 'auth0',
      issuer: `${at.replace('127.0.0.1', 'localhost')}/`,
      clientId: 'auth0-app',
      clientSecret: ref('AUTH0_SECRET'),
      apis: ['https://orders.example.com'],
    },
    {
      name: 'document',
      kind: 'oidc',
      issuer: at,
      directory: `${at}/clients.json`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
      directoryToken: '${file:directory-token}',
      webhook: { secrets: [ref('WEBHOOK')] },
      ssf: {
        ...ssf,
        endpoint: `http://${listen}/events/document`,
        pushTokens: [ref('SSF_PUSH')],
        clientId: 's',
        clientSecret: ref('SSF_SECRET'),
      },
    },
    {
      name: 'signals',
      kind: 'oidc',
      issuer: at,
      directory: `${at}/other.json`,
      ssf: { transmitter: `${at}/ssf`, audience: 'scopemesh', delivery: 'poll', token: ref('SSF_TOKEN') },
    },
  ];
  return {
    owner: 'payments',
    mode: 'enforce',
    consul: {
      address: consul,
      token: ref('CONSUL_TOKEN'),
      tls: { certFile: './consul.crt', keyFile: './consul.key' },
    },
    providers: providers.map((provider) => ({ ...provider, ...often })),
    scopes: { 'orders:read': { provider: 'document', to: 'orders' } },
    decisions: {
      kind: 'embedded',
      webhooks: [{ name: 'siem', url: `${at}/siem/${ref('HOOK_PATH')}`, secrets: [ref('SIGNING')] }],
    },
    http: { listen, tokens: [{ name: 'auditor', token: ref('HTTP_TOKEN') }] },
    telemetry: { endpoint: `${at}/telemetry`, headers: { authorization: `Bearer ${ref('TELEMETRY')}` } },
    state: { directory: './state' },
    resync: '1s',
  };
}

/** Of another daemon, whose queue is in a Redis, or whose decisions are in Kafka. `kafka`: HOST:PORT. */
export function storeConfigurationOf(
  store: { readonly kafka: string } | 'redis',
  options: Parameters<typeof configurationOf>[0],
): Readonly<Record<string, unknown>> {
  const owner = store === 'redis' ? 'at-redis' : 'at-kafka';
  const embedded = { ...configurationOf(options), owner, state: { directory: `./${owner}` } };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
  if (store === 'redis') return { ...embedded, queue: { kind: 'bullmq', url: '${REDIS_URL}' } };
  const sasl = { mechanism: 'plain', username: 'scopemesh', password: ref('KAFKA_PASSWORD') };
  return { ...embedded, decisions: { kind: 'kafka', brokers: [store.kafka], topic: 'decisions', sasl } };
}

/** A file in which secrets are at every place where they do not belong. */
export function invalidConfiguration(): Readonly<Record<string, unknown>> {
  return {
    owner: ref('CONSUL_TOKEN'),
    mode: ref('KEYCLOAK_SECRET'),
    consul: { address: ref('OKTA_API_TOKEN'), token: [ref('CONSUL_TOKEN')] },
    providers: [
      {
        name: ref('KEYCLOAK_WEBHOOK'),
        kind: 'keycloak',
        issuer: ref('ENTRA_SECRET'),
        clientId: { secret: ref('AUTH0_SECRET') },
        clientSecret: [ref('KEYCLOAK_SECRET')],
        webhook: { secrets: ref('OKTA_HOOK') },
        poll: ref('SSF_TOKEN'),
      },
      { name: 'x', kind: ref('SSF_SECRET'), issuer: 7 },
    ],
    scopes: { a: { to: 'orders', methods: [ref('WEBHOOK')], path: ref('SSF_PUSH') } },
    queue: { kind: 'bullmq', url: ref('ENTRA_STATE') },
    decisions: { webhooks: [{ name: ref('SIGNING'), url: ref('SIGNING'), secrets: ref('SIGNING') }] },
    http: { listen: ref('HTTP_TOKEN'), tokens: ref('HTTP_TOKEN') },
    resync: ref('OKTA_HOOK'),
  };
}
