import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine, DoctorFinding } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

const READ = 'acl = "read" node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }';
const LEASE =
  'session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/leader" { policy = "write" } key_prefix "scopemesh/payments/cluster" { policy = "write" }';
const READS_ALL = `${READ} ${LEASE} service_prefix "" { policy = "read" intentions = "read" }`;
const WRITES_ALL = `${READ} ${LEASE} service_prefix "" { policy = "read" intentions = "write" }`;
const SCOPES = {
  'orders:write': { to: 'orders' },
  '{service}:connect': { to: '{service}' },
};
const ONLY_LITERAL = { 'orders:write': { to: 'orders' } };

let mesh: Mesh;
let cli: CommandLine;
let made = 0;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  for (const service of ['orders', 'billing', 'ledger']) await mesh.register(service);
  await mesh.register('web', { client: 'web-app' });
  grant('billing:connect');
});

function grant(...scopes: string[]): void {
  cli.idp({ clientId: 'web-app', scopes, attributes: { 'consul-services': 'web' } });
}

/** A token of several policies, each with these rules. */
async function useToken(
  policies: readonly string[],
  { consul, ...parts }: Readonly<Record<string, unknown>>,
) {
  const names: { Name: string }[] = [];
  for (const Rules of policies) {
    const Name = `p-${made++}`;
    await mesh.request('PUT', '/v1/acl/policy', { Name, Rules });
    names.push({ Name });
  }
  const token = (await mesh.request('PUT', '/v1/acl/token', { Policies: names })) as { SecretID: string };
  cli.configure({
    ...parts,
    consul: { ...Object(consul), address: mesh.consul.address, token: token.SecretID },
  });
}

async function examined(
  policies: readonly string[],
  parts: Readonly<Record<string, unknown>> = { scopes: SCOPES },
): Promise<{ readonly status: number; readonly of: (id: string) => DoctorFinding | undefined }> {
  await useToken(policies, parts);
  const { status, json } = await cli.run(['doctor', '--json']);
  const findings = json().findings as DoctorFinding[];
  return { status, of: (id) => findings.find((finding) => finding.id === id) };
}

describe('doctor checks whether the ACL token may write', () => {
  it('each opened destination, and gives the missing rule for those that it may not', async () => {
    const narrow = `${READS_ALL} service "orders" { policy = "read" intentions = "write" }`;
    const { status, of } = await examined([narrow]);
    expect(status).toBe(1);
    const rule = 'service "billing" { policy = "read" intentions = "write" }';
    expect(of('consul.token')).toMatchObject({
      severity: 'error',
      message: 'the rules of the ACL token do not let it write the intentions of billing',
      remedy: `add these rules: ${rule}`,
    });
    expect((await cli.run(['apply', '--yes'])).status).toBe(1);
    // What is said is all that it takes.
    expect((await examined([narrow, rule])).of('consul.token')?.severity).toBe('ok');
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  });

  it.each([
    'service "billing" { policy = "read" intentions = "read" }',
    // Who may see a service may read its intentions, where no more is said of them.
    'service "billing" { policy = "read" }',
    'service_prefix "bill" { policy = "read" }',
  ])('also where it may write all but what a narrower rule keeps from it: %s', async (rule) => {
    const { of } = await examined([WRITES_ALL, rule]);
    expect(of('consul.token')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('intentions of billing'),
      remedy: 'add these rules: service "billing" { policy = "read" intentions = "write" }',
    });
    expect((await cli.run(['apply', '--yes'])).status).toBe(1);
  });

  it('also if a denial must be removed, because no other rule outweighs it', async () => {
    const { of } = await examined([
      WRITES_ALL,
      'service "billing" { policy = "read" intentions = "deny" }',
      'service "billing" { policy = "read" intentions = "write" }',
    ]);
    expect(of('consul.token')).toMatchObject({
      severity: 'error',
      remedy: expect.stringMatching(/, and remove the denial of service "billing"$/),
    });
  });

  it('what a future scope may open by its name, and only warns, because a token may be narrow on purpose', async () => {
    grant();
    const kept = 'service "ledger" { policy = "read" } service_prefix "pay-" { policy = "read" }';
    const some = await examined([WRITES_ALL, kept]);
    expect(some.status).toBe(0);
    expect(some.of('consul.token-captures')).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(
        /^future scopes like \{service\}:connect .* the intentions of ledger, services whose name begins with pay-$/,
      ),
      remedy: expect.stringContaining(
        'service "ledger" { policy = "read" intentions = "write" } service_prefix "pay-" { policy = "read" intentions = "write" }',
      ),
    });
    const one = await examined([READS_ALL, 'service "orders" { policy = "read" intentions = "write" }']);
    expect(one.of('consul.token-captures')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('services without a rule of their own'),
    });
    expect(one.of('consul.token')?.severity).toBe('ok');
  });

  it('no protected destination, unless the destination has a source that scopemesh owns', async () => {
    const kept = 'service "billing" { policy = "read" intentions = "read" }';
    const parts = { scopes: SCOPES, guards: { protected: ['billing'] } };
    const { status, of } = await examined([WRITES_ALL, kept], parts);
    expect([status, of('consul.token')?.severity, of('consul.token-captures')]).toEqual([0, 'ok', undefined]);
    await mesh.write('billing', [
      { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' },
    ]);
    expect((await examined([WRITES_ALL, kept], parts)).of('consul.token')?.severity).toBe('error');
  });

  it('claim records, also if a rule with a longer prefix forbids some of them', async () => {
    const parts = { scopes: ONLY_LITERAL, services: { claims: 'first' } };
    const keys = 'key_prefix "scopemesh/payments/" { policy = "write" }';
    const longer = 'key_prefix "scopemesh/payments/claims/main/" { policy = "read" }';
    expect((await examined([WRITES_ALL, keys, longer], parts)).of('consul.token')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('keys under scopemesh/payments/'),
      remedy: `remove ${longer}`,
    });
    const only = 'key_prefix "scopemesh/payments/claims/" { policy = "write" }';
    expect((await examined([WRITES_ALL, only], parts)).of('consul.token')?.severity).toBe('ok');
  });

  it('quarantines, and warns where it may not', async () => {
    const parts = { scopes: ONLY_LITERAL };
    const { status, of } = await examined([WRITES_ALL], parts);
    expect([status, of('consul.token')?.severity]).toEqual([0, 'ok']);
    expect(of('consul.token-quarantines')).toMatchObject({
      severity: 'warning',
      remedy: 'add these rules: key_prefix "scopemesh/payments/" { policy = "write" }',
    });
    const keys = 'key_prefix "scopemesh/payments/" { policy = "write" }';
    expect((await examined([WRITES_ALL, keys], parts)).of('consul.token-quarantines')).toBeUndefined();
  });

  it('the lock of the leader, and names the lines to add where it may not', async () => {
    const parts = { scopes: ONLY_LITERAL };
    const rules = `${READ} service_prefix "" { policy = "read" intentions = "write" }`;
    const { status, of } = await examined([rules], parts);
    expect(status).toBe(1);
    expect(of('consul.token-lease')).toMatchObject({
      severity: 'error',
      remedy:
        'add these rules: session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/" { policy = "write" }',
    });
    const observing = await examined([rules], { ...parts, mode: 'observe' });
    expect(observing.of('consul.token-lease')).toBeUndefined();
  });

  it('jwt-providers, also if another policy of the token denies them', async () => {
    const directory = join(cli.directory, 'clients.json');
    const parts = {
      scopes: { 'orders:write': { to: 'orders', user: 'required' } },
      providers: [
        { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory, audience: 'orders' },
      ],
    };
    const { of } = await examined([WRITES_ALL, 'mesh = "write"', 'mesh = "deny"'], parts);
    expect(of('consul.token')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('write mesh'),
      remedy: 'add these rules: mesh = "write", and remove mesh = "deny"',
    });
  });

  it('with the documented policies, and finds them ok', async () => {
    const least = readFileSync('deploy/consul-policy.hcl', 'utf8');
    for (const claims of ['confirmed', 'first']) {
      const { status, of } = await examined([least, 'acl = "read"'], {
        scopes: SCOPES,
        services: { claims },
      });
      expect([status, of('consul.token')?.severity, of('consul.token-captures')]).toEqual([
        0,
        'ok',
        undefined,
      ]);
    }
  });

  it('more destinations than it names, and says so', async () => {
    const names = Array.from({ length: 12 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);
    grant(...names.map((name) => `${name}:connect`));
    const { of } = await examined([READS_ALL, 'service "orders" { policy = "read" intentions = "write" }']);
    expect(of('consul.token')).toMatchObject({
      message: expect.stringMatching(/svc-00, .*svc-09 and 2 more$/),
      remedy: expect.stringMatching(/service "svc-09" \{[^}]*\} and likewise for the others$/),
    });
  });
});

describe('doctor reports about the ACL token', () => {
  it('with manifests, that it must write the entries that consul-k8s has not taken over, and only these', async () => {
    const directory = join(cli.directory, 'manifests');
    mkdirSync(directory);
    const parts = { scopes: ONLY_LITERAL, consul: { target: { kind: 'crd', directory } } };
    const source = { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' };
    await mesh.write('billing', [source]);
    expect((await examined([READS_ALL], parts)).of('consul.token')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('the intentions of billing, which consul-k8s has not taken over yet'),
      remedy: 'add these rules: service "billing" { policy = "read" intentions = "write" }',
    });
    for (const rules of [
      WRITES_ALL,
      `${READS_ALL} service "billing" { policy = "read" intentions = "write" }`,
    ])
      expect((await examined([rules], parts)).of('consul.token')).toMatchObject({ severity: 'ok' });
    await mesh.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'billing',
      Meta: { 'external-source': 'kubernetes' },
      Sources: [source],
    });
    expect((await examined([WRITES_ALL], parts)).of('consul.token')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('it may write intentions'),
    });
    expect((await examined([READS_ALL], parts)).of('consul.token')).toMatchObject({ severity: 'ok' });
  });

  it('that it may register services, which scopemesh never does', async () => {
    const strong = `${READ} service_prefix "" { policy = "write" intentions = "write" } key_prefix "" { policy = "write" }`;
    expect((await examined([strong])).of('consul.token')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('it may write services and keys outside scopemesh/payments/'),
    });
  });

  it('that mode observe writes nothing, if the token may only read', async () => {
    const { status, of } = await examined([READS_ALL], { mode: 'observe', scopes: SCOPES });
    expect(status).toBe(0);
    expect(of('consul.token')).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('mode: observe writes nothing'),
      remedy: expect.stringContaining('intentions = "write"'),
    });
  });

  it('that rules which it cannot parse are not fully checked', async () => {
    const odd = 'namespace_prefix "" { policy = "read" }';
    expect((await examined([WRITES_ALL, odd])).of('consul.token')).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('cannot parse its other rules'),
    });
    const weak = await examined([READS_ALL, odd]);
    expect([weak.status, weak.of('consul.token')?.severity]).toEqual([1, 'error']);
  });

  it('the providers whose clients it could not check', async () => {
    cli.brokenIdp('{');
    expect((await examined([WRITES_ALL])).of('consul.token')).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('the scopes of main are not checked'),
    });
  });
});
