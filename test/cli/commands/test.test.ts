import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';

let cli: CommandLine;

const MAPPING = `
owner: payments
mode: enforce
consul: { address: "\${CONSUL}", token: "\${file:missing}" }
providers: [{ name: main, kind: okta, issuer: "\${ISSUER}", clientId: x, apis: [orders-api] }]
scopes:
  "orders:read": { to: orders, methods: [GET], path: /v1/orders }
  "orders:write": { to: orders, methods: [POST], path: /v1/orders, user: required }
  "digits:read": { to: digits, pathRegex: "/[0-9]{1000}[0-9]{1000}[0-9]{1000}" }
  "either:read": { to: either, pathRegex: "(?i)/(a|b)" }
  "tenant:read": { to: tenants, headers: [{ name: X-Tenant, exact: a }] }
  "payments:charge": { to: payments }
  reports: [{ to: reports }, { to: archive, actors: [human] }]
  "{service}:connect": { to: "{service}" }
actors:
  classify: [{ attribute: actor, equals: agent, kind: agent }]
  agent: { never: ["payments:*"], onBehalfOf: human }
guards: { protected: [vault] }
`;

const CLIENTS = `clients:
  web-app: { services: [web], scopes: ["orders:read", "orders:write", "tenant:read", "digits:read", "either:read"], grantTypes: [authorization_code] }
  job: { services: [job], scopes: [reports, { api: other, name: "orders:read" }], grantTypes: [client_credentials] }
  agent-x:
    services: [agent-x]
    scopes: ["payments:charge", "vault:connect", "billing:connect"]
    attributes: { actor: agent }
`;

beforeEach(() => {
  cli = createCommandLine();
  writeFileSync(cli.configFile, MAPPING);
});
afterEach(() => cli.close());

/** Runs one case for each line. */
async function run(lines: readonly string[], clients = CLIENTS) {
  const file = join(cli.directory, 'scopemesh.test.yaml');
  writeFileSync(file, `${clients}cases:\n${lines.map((line) => `  - ${line}\n`).join('')}`);
  return cli.run(['test', '--json']);
}

interface Judged {
  readonly passed: boolean;
  readonly line: number;
  readonly rules: readonly { readonly rule: string; readonly outcome: string }[];
}

describe('test', () => {
  it.each(['allow', 'deny'])(
    'fails a case to %s that only Envoy can judge, and says so',
    async (expected) => {
      const { status, json } = await run([`${expected}: web -> digits GET /12`]);
      const [judged] = json().cases as readonly Judged[];
      expect([status, judged?.passed, judged?.rules]).toMatchObject([1, false, [{ outcome: 'unclear' }]]);
      const { out } = await cli.run(['test']);
      expect(out).toContain('only Envoy can judge');
    },
  );

  it.each([
    ['allow: web -> orders GET /v1/orders/7 as human', 'scopes."orders:read" opens'],
    ['allow: web -> orders', 'scopes."orders:read" opens'],
    ['deny: web -> orders DELETE /v1/orders', 'scopes."orders:read" other-request'],
    ['deny: web -> orders GET /v1/orders/../admin', 'scopes."orders:read" other-request'],
    ['allow: web -> orders POST /v1/orders with user', 'scopes."orders:write" opens'],
    ['deny: web -> orders POST /v1/orders without user', 'scopes."orders:write" needs-user'],
    ['{ allow: web -> tenants GET /, headers: { x-tenant: a } }', 'scopes."tenant:read" opens'],
    ['{ deny: web -> tenants GET /, headers: { x-tenant: b } }', 'scopes."tenant:read" other-request'],
    ['allow: web -> either GET /A', 'scopes."either:read" opens'],
    ['deny: agent-x -> payments', 'scopes."payments:charge" limited'],
    ['allow: agent-x -> payments as workload', 'scopes."payments:charge" opens'],
    ['deny: agent-x -> billing GET / without user', 'scopes."{service}:connect" needs-user'],
    ['deny: agent-x -> vault', 'scopes."{service}:connect" opens'],
    ['deny: job -> archive', 'scopes.reports[1] limited'],
    ['allow: job -> reports', 'scopes.reports[0] opens'],
  ])('passes %s', async (line, decidedBy) => {
    const { status, json } = await run([line]);
    const [judged] = json().cases as readonly Judged[];
    expect([status, judged?.passed]).toEqual([0, true]);
    expect(judged?.rules.map(({ rule, outcome }) => `${rule} ${outcome}`)).toContain(decidedBy);
  });

  it.each([
    ['allow: web -> orders POST /v1/orders', 'an access that needs a token does not count without one'],
    ['deny: web -> orders POST /v1/orders', 'a denial must hold with a token too'],
    ['deny: agent-x -> billing', 'a denial must hold for every request'],
    ['allow: agent-x -> vault', 'a protected destination stays closed'],
    ['allow: job -> orders', 'the same scope of another API is another scope'],
  ])('fails %s: %s', async (line) => {
    const { status, json } = await run([line]);
    expect([status, json().summary]).toEqual([1, { passed: 0, failed: 1 }]);
  });

  it('names the line of a failed case, and the rule that decides', async () => {
    await run(['deny: web -> orders GET /v1/orders', 'deny: web -> reports']);
    const { status, out } = await cli.run(['test', join(cli.directory, 'scopemesh.test.yaml')]);
    expect(status).toBe(1);
    expect(out).toMatch(/^FAILED {2}deny: web -> orders GET \/v1\/orders {2}\S+scopemesh\.test\.yaml:9$/m);
    expect(out).toContain('scopes."orders:read" opens GET /v1/orders and below (scope orders:read)');
    expect(out).toContain('denied: no rule opens reports for the scopes orders:read orders:write');
    expect(out).toContain('1 passed, 1 failed.');
  });

  it('reports every fault of a file with its line, and runs no case', async () => {
    const clients = 'clients:\n  a: { services: [a], scopes: [], x: 1 }\n';
    const { status, err } = await run(['allow: a - b', '{ allow: a -> b, deny: a -> b }'], clients);
    expect(status).toBe(1);
    expect(err).toMatch(/scopemesh\.test\.yaml:2:\d+: clients\.a\.x: unknown key/);
    expect(err).toMatch(/:4:\d+: cases\[0\]\.allow: must be SOURCE -> DESTINATION/);
    expect(err).toMatch(/:5:\d+: cases\[1\]: must have either allow or deny/);
  });

  it('refuses a source that no client has, which would always be denied', async () => {
    const { status, err } = await run(['deny: wbe -> orders', 'deny: web -> billing']);
    expect(status).toBe(1);
    expect(err).toMatch(/:9:\d+: cases\[0\]\.deny: no client of this file has this source/);
  });

  it('refuses a destination and a method that nothing has, which would always be denied', async () => {
    const { status, err } = await run([
      'deny: web -> ordrs',
      'deny: web -> orders GTE /v1/orders',
      'deny: web -> job',
      'deny: web -> vault',
    ]);
    expect(status).toBe(1);
    expect(err).toMatch(/:9:\d+: cases\[0\]\.deny: names a destination that no rule names/);
    expect(err).toMatch(/:10:\d+: cases\[1\]\.deny: has no HTTP method/);
    expect(err).not.toMatch(/yaml:1[12]:/);
  });

  it('refuses a service with two clients, an unknown provider, and a file without cases', async () => {
    const clients =
      'clients:\n  a: { services: [a], scopes: [] }\n  b: { services: [a], scopes: [] }\n  c: { provider: x, services: [c], scopes: [] }\n';
    const { err } = await run(['deny: a -> b'], clients);
    expect(err).toMatch(/:3:\d+: clients\.b\.services\[0\]: another client/);
    expect(err).toMatch(/:4:\d+: clients\.c: has a provider that the configuration does not have/);
    const missing = await cli.run(['test', join(cli.directory, 'none.yaml')]);
    expect([missing.status, missing.err]).toEqual([
      1,
      expect.stringContaining('none.yaml:1:1: the file cannot'),
    ]);
  });

  it('reports faults of the mapping with their lines, as validate does', async () => {
    writeFileSync(cli.configFile, MAPPING.replace('methods: [POST]', 'method: [POST]'));
    const { status, err } = await run(['allow: web -> orders']);
    expect([status, err]).toEqual([
      1,
      expect.stringMatching(/:8:\d+: scopes\."orders:write"\.method: unknown key/),
    ]);
  });
});
