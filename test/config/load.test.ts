// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/model/secret.js';
import { fileWith, loadText } from './load-text.js';

describe('A configuration file', () => {
  it('gets the documented defaults for everything it leaves out', async () => {
    const config = await loadText(fileWith(''));

    expect(config).toMatchObject({
      services: {
        clientMeta: 'oauth-client-id',
        clientTag: 'oauth-client=',
        claims: 'confirmed',
        claimGraceMs: 300_000,
      },
      login: false,
      groups: [],
      guards: {
        maxRevocations: { percent: 20, atLeast: 10, windowMs: 600_000 },
        protected: [],
        freeze: [],
      },
      queue: { kind: 'embedded' },
      decisions: { kind: 'embedded' },
      http: { listen: { host: '127.0.0.1', port: 8080 }, tokens: [] },
      state: { directory: '/etc/scopemesh/data' },
      leaseTtlMs: 10_000,
      resyncMs: 300_000,
    });
    expect(config.providers[0]).toMatchObject({
      pollMs: 30_000,
      fullReadMs: 3_600_000,
      claims: { client: 'azp', scopes: 'scope', groups: 'groups' },
      webhookSecrets: [],
      serviceAccountRoles: false,
    });
    expect(config.actors.limits).toEqual({
      human: { never: [] },
      workload: { never: [] },
      agent: { never: [] },
    });
  });

  it.each([
    ['on', true],
    ['"off"', false],
    ['"${DEFAULTS}"', true],
  ])('takes %s for the switch of consul.target', async (word, serviceDefaults) => {
    const target = `{ kind: crd, directory: ./m, serviceDefaults: ${word} }`;
    const consul = `consul: { address: "http://127.0.0.1:8500", target: ${target} }`;
    const config = await loadText(fileWith(consul, 'consul'), { environment: { DEFAULTS: 'true' } });
    expect(config.consul.target).toMatchObject({ serviceDefaults });
  });

  it('gives its rules flattened in the order of the file', async () => {
    const scopes = `scopes:
  "b:*": [{ to: b1, user: required }, { to: b2, methods: [GET], path: /v1 }]
  "{service}:connect": { to: "{service}", actors: [agent], provider: main, api: orders }
  "a": { to: a, headers: [{ name: x-tenant, exact: "1", invert: on }] }`;

    expect((await loadText(fileWith(scopes, 'scopes'))).rules).toEqual([
      { scope: 'b:*', to: 'b1', userRequired: true },
      { scope: 'b:*', to: 'b2', methods: ['GET'], path: '/v1', userRequired: false },
      {
        scope: '{service}:connect',
        to: '{service}',
        actors: ['agent'],
        provider: 'main',
        api: 'orders',
        userRequired: false,
      },
      { scope: 'a', to: 'a', headers: [{ name: 'x-tenant', exact: '1', invert: true }], userRequired: false },
    ]);
  });

  it('may be JSON', async () => {
    const json = JSON.stringify({
      owner: 'payments',
      mode: 'observe',
      consul: { address: 'http://127.0.0.1:8500' },
      providers: [{ name: 'p', kind: 'oidc', issuer: 'http://localhost:1', directory: 'clients.json' }],
      scopes: {},
    });

    const config = await loadText(json);

    expect(config.mode).toBe('observe');
    expect(config.providers[0]).toMatchObject({ kind: 'oidc', directory: '/etc/scopemesh/clients.json' });
  });

  it.each([
    ['off', false],
    ['false', false],
    ['"off"', false],
    ['on', true],
    ['true', true],
    ['"true"', true],
    ['registered', 'registered'],
  ])('reads login: %s as %s', async (written, login) => {
    expect((await loadText(fileWith(`login: ${written}`))).login).toBe(login);
  });

  it('lets anchors and aliases repeat a part', async () => {
    const scopes = 'scopes: { a: &rule { to: orders, methods: [GET] }, b: *rule }';

    expect((await loadText(fileWith(scopes, 'scopes'))).rules.map(({ scope, to }) => [scope, to])).toEqual([
      ['a', 'orders'],
      ['b', 'orders'],
    ]);
  });

  it('names its TLS files and directories from its own directory', async () => {
    const consul =
      'consul: { address: "https://c:8501", tls: { caFile: ca.pem, certFile: /abs/c.pem, keyFile: ./k.pem } }';

    const config = await loadText(fileWith(`${consul}\nstate: { directory: ../data }`, 'consul'));

    expect(config.consul.tls).toEqual({
      caFile: '/etc/scopemesh/ca.pem',
      certFile: '/abs/c.pem',
      keyFile: '/etc/scopemesh/k.pem',
    });
    expect(config.state.directory).toBe('/etc/data');
  });

  it('holds the queue and the topic of a large installation', async () => {
    const parts = `queue: { kind: bullmq, url: "redis://:pw@redis:6379/2", allowUnsafeRedis: on }
decisions: { kind: kafka, brokers: ["k1:9092", "[::1]:9092"], signingKeyFile: key.pem, tls: on, sasl: { mechanism: plain, username: u, password: pw } }`;

    const { queue, decisions } = await loadText(fileWith(parts));

    expect(queue).toEqual({ kind: 'bullmq', url: expect.any(Secret), allowUnsafeRedis: true });
    expect(queue.kind === 'bullmq' ? queue.url.reveal() : undefined).toBe('redis://:pw@redis:6379/2');
    expect(decisions).toMatchObject({
      brokers: ['k1:9092', '[::1]:9092'],
      topic: 'scopemesh.decisions',
      signingKeyFile: '/etc/scopemesh/key.pem',
      tls: true,
      sasl: { mechanism: 'plain', username: 'u' },
    });
  });

  it('takes an empty Consul token, as a variable with an empty default gives, for none', async () => {
    const consul = 'consul: { address: "http://c:8500", token: "${TOKEN:-}" }';

    expect(await loadText(fileWith(consul, 'consul'))).toHaveProperty('consul', { address: 'http://c:8500' });
  });

  it('parses compound durations, times to live in seconds, and an IPv6 address to listen on', async () => {
    const config = await loadText(
      fileWith('resync: 1h30m\nactors: { agent: { maxTokenTtl: 15m } }\nhttp: { listen: "[::1]:0" }'),
    );

    expect(config.resyncMs).toBe(5_400_000);
    expect(config.actors.limits.agent).toEqual({ never: [], maxTokenTtlSeconds: 900 });
    expect(config.http).toEqual({
      listen: { host: '::1', port: 0 },
      tokens: [],
      console: {
        login: [],
        roles: { claim: 'groups', viewer: [], approver: [], operator: [] },
        groupBy: ['prefix'],
        idleMs: 30 * 60_000,
        longestMs: 8 * 3_600_000,
        freshMs: 15 * 60_000,
      },
    });
  });

  it('listens on the IPv4 address alone where it says localhost', async () => {
    const { http } = await loadText(fileWith('http: { listen: "localhost:8080", admin: "LocalHost:8081" }'));
    expect(http.listen).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(http.admin).toEqual({ host: '127.0.0.1', port: 8081 });
  });

  it('that cannot be read is reported with the error of the system', async () => {
    const { loadConfig } = await import('../../config/load.js');
    const load = loadConfig({
      path: 'missing.yaml',
      environment: {},
      readFile: () => Promise.reject(Object.assign(new Error('secret text'), { code: 'EACCES' })),
    });

    await expect(load).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message:
        'missing.yaml:1:1: the file cannot be read (EACCES); check its path and permissions, or name another with -c',
    });
  });

  it('that is not UTF-8 is reported as such', async () => {
    const { loadConfig } = await import('../../config/load.js');
    const readFile = async () => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff]));

    await expect(loadConfig({ path: 'latin.yaml', environment: {}, readFile })).rejects.toMatchObject({
      message: 'latin.yaml:1:1: the file is not UTF-8; save it as UTF-8',
    });
  });
});
