// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { describe, expect, it } from 'vitest';
import { errorOf, faultsOf, fileWith } from '../load-text.js';

const provider = (rest: string) => `providers: [{ name: main, ${rest} }]`;
const keycloak = (rest: string) =>
  provider(`kind: keycloak, issuer: "https://sso.example.com", clientId: a, clientSecret: b, ${rest}`);

/** [what is wrong, the lines written, the keys they replace, the faults]. */
const CASES: readonly [string, string, readonly string[], readonly string[]][] = [
  [
    'a missing key',
    '',
    ['mode'],
    ['2:1: mode: is missing; add the key with one of observe, extend, enforce'],
  ],
  [
    'an unknown key',
    'mod: enforce',
    [],
    [
      '1:1: mod: unknown key; known here: $schema, select, services, login, groups, actors, guards, queue, decisions, http, telemetry, state, lease, resync',
    ],
  ],
  ['a misspelt key', 'resynk: 5m', [], ['1:1: resynk: unknown key; did you mean "resync"?']],
  [
    'a token that can be guessed',
    'http: { tokens: [{ name: a, token: secret }] }',
    [],
    [
      '1:36: http.tokens[0].token: must be at least 32 letters, digits and characters of "-._~+/="; make one with openssl rand -base64 32',
    ],
  ],
  [
    'one token under two names',
    `http: { tokens: [{ name: a, token: ${'x'.repeat(32)} }, { name: b, token: ${'x'.repeat(32)} }] }`,
    [],
    ['1:90: http.tokens[1].token: is the token of another entry; give each entry its own'],
  ],
  [
    'two listeners on one address',
    'http: { listen: "127.0.0.1:8080", admin: "127.0.0.1:8080" }',
    [],
    ['1:42: http.admin: is the address of http.listen; give it another port'],
  ],
  [
    'two listeners on one address, which one of them writes as a name',
    'http: { listen: "127.0.0.1:8080", admin: "localhost:8080" }',
    [],
    ['1:42: http.admin: is the address of http.listen; give it another port'],
  ],
  [
    'a target at the top of the file',
    'target: crd',
    [],
    ['1:1: target: belongs under "consul"; write consul.target: { kind: crd, directory: … }'],
  ],
  [
    'a target without a directory',
    'consul: { address: "http://127.0.0.1:8500", target: crd }',
    ['consul'],
    ['1:53: consul.target: must be a map; write consul.target: { kind: crd, directory: … }'],
  ],
  [
    'an owner that is no plain name',
    'owner: Payments',
    ['owner'],
    [
      '1:8: owner: must be a plain name; use 1 to 63 lower-case letters, digits and -, beginning with a letter or digit',
    ],
  ],
  [
    'a misspelt mode',
    'mode: enforced',
    ['mode'],
    ['1:7: mode: must be one of observe, extend, enforce; did you mean "enforce"?'],
  ],
  [
    'an empty value',
    'owner:',
    ['owner'],
    ['1:7: owner: is empty, but must be text; give it a value or remove the key'],
  ],
  ['a number where text belongs', 'owner: 7', ['owner'], ['1:8: owner: must be text; put it in quotes']],
  ['a list where a map belongs', 'consul: []', ['consul'], ['1:9: consul: must be a map; write key: value']],
  [
    'a map where a list belongs',
    'providers: {}',
    ['providers'],
    ['1:12: providers: must be a list; write [ … ] or lines that begin with -'],
  ],
  ['no provider', 'providers: []', ['providers'], ['1:12: providers: must name at least one provider']],
  [
    'an address without a protocol',
    'consul: { address: "consul:8500" }',
    ['consul'],
    ['1:20: consul.address: must be a URL; write http://… or https://… or unix://…'],
  ],
  [
    'credentials in a URL',
    'consul: { address: "http://u:p@c:8500" }',
    ['consul'],
    ['1:20: consul.address: must not hold a user name or password; give them by their own keys'],
  ],
  [
    'a query in a URL',
    'consul: { address: "http://c:8500?x" }',
    ['consul'],
    ['1:20: consul.address: must not hold a query or a fragment; remove what follows ? or #'],
  ],
  [
    'half a client certificate',
    'consul: { address: "https://c", tls: { keyFile: k } }',
    ['consul'],
    ['1:40: consul.tls.keyFile: is only half of the key pair; add "certFile"'],
  ],
  [
    'faults of webhooks of the decision log',
    'decisions: { kind: embedded, webhooks: [{ name: a, url: "http://siem.example.com/x", secrets: [whsec_c2hvcnQ=] }, { name: a, url: "https://u:p@siem.example.com", secrets: [] }] }',
    ['decisions'],
    [
      '1:57: decisions.webhooks[0].url: is plain http to a host that is not loopback; use https',
      `1:96: decisions.webhooks[0].secrets[0]: is not whsec_ and the base64 of 24 to 64 bytes; create one with: printf 'whsec_%s\\n' "$(openssl rand -base64 32)"`,
      '1:123: decisions.webhooks[1].name: another webhook has this name; give each its own',
      '1:131: decisions.webhooks[1].url: must not hold a user name or password; give them by their own keys',
      `1:172: decisions.webhooks[1].secrets: must have a secret; create one with: printf 'whsec_%s\\n' "$(openssl rand -base64 32)"`,
    ],
  ],
  [
    'a duration without a unit',
    keycloak('poll: 30'),
    ['providers'],
    ['1:114: providers[0].poll: must be a duration; write a number with its unit, such as 30s, 5m or 1h'],
  ],
  [
    'a duration with an unknown unit',
    'resync: 5 min',
    [],
    [
      '1:9: resync: must be a duration; write whole numbers with a unit of ms, s, m, h or d, such as 30s, 5m or 1h',
    ],
  ],
  ['a duration of nothing', 'resync: 0s', [], ['1:9: resync: must be from 1s to 1d']],
  [
    'a lifetime that Consul refuses',
    'actors: { agent: { maxTokenTtl: 25h } }',
    [],
    ['1:33: actors.agent.maxTokenTtl: must be from 1m to 1d'],
  ],
  [
    'a percentage above 100',
    'guards: { maxRevocations: { percent: 101 } }',
    [],
    [
      '1:38: guards.maxRevocations.percent: must be a whole number from 0 to 100; write its digits alone, without % or a unit',
    ],
  ],
  [
    'half a removal',
    'guards: { maxRevocations: { atLeast: 1.5 } }',
    [],
    [
      '1:38: guards.maxRevocations.atLeast: must be a whole number from 0 to 1000000; write its digits alone, without % or a unit',
    ],
  ],
  [
    'a protected wildcard',
    'guards: { protected: ["*"] }',
    [],
    ['1:23: guards.protected[0]: must be a plain service name; use lower-case letters, digits and -'],
  ],
  [
    'an unknown actor kind',
    'actors: { classify: [{ clientId: a, kind: bot }] }',
    [],
    ['1:43: actors.classify[0].kind: must be one of human, workload, agent'],
  ],
  [
    'a classification of neither form',
    'actors: { classify: [x] }',
    [],
    [
      '1:22: actors.classify[0]: must be a map; write { attribute: …, equals: …, kind: … } or { clientId: …, kind: … }',
    ],
  ],
  [
    'a bad pattern of forbidden scopes',
    'actors: { agent: { never: ["{a-b}"] } }',
    [],
    [
      '1:28: actors.agent.never[0]: has a brace that is not part of a capture; write {name} with a lower-case letter first, then letters and digits',
    ],
  ],
  ['a queue without its Redis', 'queue: { kind: bullmq }', [], ['1:1: queue.url: is missing; add the key']],
  [
    'a queue at something else',
    'queue: { kind: bullmq, url: "http://x" }',
    [],
    ['1:29: queue.url: must be a Redis URL; write redis://host:6379 or rediss://…'],
  ],
  [
    'a Redis key on the embedded queue',
    'queue: { kind: embedded, url: x }',
    [],
    ['1:26: queue.url: unknown key; remove it'],
  ],
  ['an unknown queue', 'queue: { kind: rabbit }', [], ['1:16: queue.kind: must be one of embedded, bullmq']],
  [
    'a topic of several replicas without their key',
    'queue: { kind: bullmq, url: "redis://r" }\ndecisions: { kind: kafka, brokers: ["k:1"] }',
    [],
    [
      '2:1: decisions.signingKeyFile: is missing; all replicas sign with one key: make it with "openssl genpkey -algorithm ed25519 -out FILE", and name the same file on each replica',
    ],
  ],
  [
    'a topic without brokers',
    'decisions: { kind: kafka }',
    [],
    ['1:1: decisions.brokers: is missing; add the key'],
  ],
  [
    'a broker without a port',
    'decisions: { kind: kafka, brokers: [k] }',
    [],
    ['1:37: decisions.brokers[0]: must be host:port; write for example 127.0.0.1:8080 or [::1]:8080'],
  ],
  [
    'an invalid port',
    'http: { listen: "a:65536" }',
    [],
    ['1:17: http.listen: must be host:port; write for example 127.0.0.1:8080 or [::1]:8080'],
  ],
  [
    'rules of a group with a capture',
    'groups: { oncall: { acl: \'key "{a}/x" { policy = "read" }\' } }',
    [],
    ['1:26: groups.oncall.acl: uses a capture that a group does not have; write the names out'],
  ],
  [
    'a group of no provider',
    'groups: { oncall: { provider: other, acl: \'operator = "read"\' } }',
    [],
    ['1:31: groups.oncall.provider: no provider has this name; write the name of one under "providers"'],
  ],
  [
    'a group that may be of several providers',
    `groups: { oncall: { acl: 'operator = "read"' } }
providers: [ { name: a, kind: oidc, issuer: "https://a", directory: a.json, audience: consul },
  { name: b, kind: oidc, issuer: "https://b", directory: b.json, audience: consul } ]
scopes: {}`,
    ['providers', 'scopes'],
    ['1:19: groups.oncall: does not name the provider of the group; add "provider" with one of a, b'],
  ],
  [
    'a freeze that never begins',
    'guards: { freeze: [{ schedule: "0 0 31 2 *", duration: 60h, timeZone: Europe/Berlin }] }',
    [],
    [
      '1:32: guards.freeze[0].schedule: must be a cron expression that matches a future time; write five fields: minute hour day month weekday',
    ],
  ],
  [
    'an invalid freeze',
    'guards: { freeze: [{ schedule: daily, duration: 1h, timeZone: Mars }] }',
    [],
    [
      '1:32: guards.freeze[0].schedule: must be a cron expression that matches a future time; write five fields: minute hour day month weekday',
      '1:63: guards.freeze[0].timeZone: must be a time zone; write for example Europe/Berlin',
    ],
  ],
];

describe('A fault of the file is reported with its line, its column and what to write instead:', () => {
  it.each(CASES)('%s', async (_, written, keys, faults) => {
    expect(await faultsOf(fileWith(written, ...keys))).toEqual(faults);
  });

  it('all of them at once, in the order of the file', async () => {
    const text = `owner: Payments
mode: enforce
consul:
  address: http://127.0.0.1:8500
  tokn: x
providers:
  - name: main
    kind: keycloak
    issuer: https://sso.example.com
    clientId: scopemesh
    clientSecret: \${MISSING}
scopes:
  "orders:read":
    - to: orders
      methds: [GET]
    - { to: "{service}", path: v1 }
resync: 5
`;
    const error = await errorOf(text);

    expect(error?.problems.map(({ line, column, path }) => [line, column, path])).toEqual([
      [1, 8, ['owner']],
      [5, 3, ['consul', 'tokn']],
      [11, 19, ['providers', 0, 'clientSecret']],
      [15, 7, ['scopes', 'orders:read', 0, 'methds']],
      [16, 13, ['scopes', 'orders:read', 1, 'to']],
      [16, 32, ['scopes', 'orders:read', 1, 'path']],
      [17, 9, ['resync']],
    ]);
    expect(error?.message).toContain(
      '/etc/scopemesh/scopemesh.yaml:15:7: scopes."orders:read"[0].methds: unknown key; did you mean "methods"?\n',
    );
  });
});
