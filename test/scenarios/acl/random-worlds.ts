import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../../config/load.js';
import { toMapping } from '../../../config/mapping-revision.js';
import { readTextFile } from '../../../config/read-text-file.js';
import { planAclFleet } from '../../../src/acl/job/plan-fleet-acl.js';
import { orphans } from '../../../src/acl/plan/tokens.js';
import { createCore } from '../../../src/app/create-core.js';
import { applyOnce } from '../../../src/cli/apply-once.js';
import { systemClock } from '../../../src/clock.js';
import type { Cause } from '../../../src/model/cause.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { clientName, peopleName } from '../../../src/plan/object-names.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { NO_FOLLOW_UPS } from '../../../src/reconcile/deps.js';
import { planEverything } from '../../../src/reconcile/fleet-plan.js';
import { readCurrentState } from '../../../src/reconcile/read-all.js';
import { Contention } from '../../../src/state/contention.js';
import { openConsul, openProvider, openStore } from '../../../workers/wire.js';
import { type Idp, type IdpClient, startIdp } from '../../support/idp.js';
import { startKeySetServer } from '../../support/key-set-server.js';

/** A Consul, embedded or real, as a person with its management token meets it. */
export interface ConsulAccess {
  readonly address: string;
  readonly managementToken: string;
  request(method: string, path: string, body?: unknown): Promise<unknown>;
}

const OWNER = 'payments';
const IDS = ['web-app', 'Web-App', 'api', 'a"b\\', 'auth0|1', 'x'.repeat(200)] as const;
const SUBJECTS = ['ann', 'Ann', 'auth0|1', 'a@b.c', '" or "" == "'] as const;
const GROUPS = { oncall: 'service_prefix "" { policy = "read" }', 'a"b': 'key "a" { policy = "read" }' };
const GROUP_NAMES = Object.keys(GROUPS);
const SCOPES = [
  'config:read',
  'orders:keys',
  'billing:own',
  'orders:call',
  'orders:pay',
  'no:such:rule',
] as const;
const SERVICES = ['web', 'api', 'billing'] as const;
const RULES = {
  'orders:call': { to: 'orders', methods: ['GET'] },
  'orders:pay': { to: 'orders', user: 'required' },
  'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
  'orders:keys': { acl: 'key "orders" { policy = "write" } service "orders" { policy = "read" }' },
  '{name}:own': { acl: 'key_prefix "{name}/" { policy = "write" }' },
};

interface Step {
  readonly login: boolean;
  readonly clients: readonly (Omit<IdpClient, 'attributes'> & {
    readonly service: string | undefined;
    readonly actor: string;
  })[];
  /** Undefined: the directory does not tell. */
  readonly people: readonly { readonly subject: string; readonly groups: readonly string[] }[] | undefined;
  readonly tamperings: readonly { readonly what: number; readonly which: number }[];
}

const someStep: fc.Arbitrary<Step> = fc.record({
  login: fc.boolean(),
  clients: fc.uniqueArray(
    fc.record({
      clientId: fc.constantFrom(...IDS),
      enabled: fc.integer({ min: 0, max: 4 }).map((at) => at > 0),
      scopes: fc.uniqueArray(fc.constantFrom(...SCOPES), { maxLength: 4 }),
      grantTypes: fc.constantFrom(['client_credentials'], ['authorization_code']),
      // Below a minute Consul has no token, and it is held.
      accessTokenLifetimeSeconds: fc.constantFrom(30, 60, 300, 3600),
      service: fc.constantFrom(undefined, ...SERVICES),
      actor: fc.constantFrom('', '', 'agent'),
    }),
    { minLength: 1, maxLength: 5, selector: ({ clientId }) => clientId },
  ),
  people: fc.option(
    fc.uniqueArray(
      fc.record({
        subject: fc.constantFrom(...SUBJECTS),
        groups: fc.uniqueArray(fc.constantFrom(...GROUP_NAMES), { maxLength: 2 }),
      }),
      { maxLength: 4, selector: ({ subject }) => subject },
    ),
    { nil: undefined, freq: 6 },
  ),
  tamperings: fc.array(fc.record({ what: fc.nat(7), which: fc.nat(20) }), { maxLength: 3 }),
});

interface RawNamed {
  readonly ID: string;
  readonly Name: string;
}

/**
 * Over random worlds, one after the other on one Consul, with logins and edits by hand between: after each apply
 * planning again gives nothing, no token has what no login gives, and what is not ours is as it was.
 */
export async function holdOverRandomWorlds(consul: ConsulAccess, runs: number): Promise<void> {
  const keys = await startKeySetServer();
  const idp = await startIdp({ single: true, now: Date.now });
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-worlds-'));
  const path = join(directory, 'scopemesh.yaml');
  writeFileSync(
    path,
    stringify({
      owner: OWNER,
      mode: 'enforce',
      consul: { address: consul.address, token: consul.managementToken },
      providers: [
        {
          name: 'main',
          kind: 'oidc',
          issuer: keys.address,
          audience: 'consul',
          directory: idp.url,
          directoryToken: idp.directoryToken,
        },
      ],
      scopes: RULES,
      groups: Object.fromEntries(Object.entries(GROUPS).map(([group, acl]) => [group, { acl }])),
      actors: {
        classify: [{ attribute: 'actor', equals: 'agent', kind: 'agent' }],
        agent: { maxTokenTtl: '2m', never: ['orders:keys'], onBehalfOf: 'human' },
      },
      guards: { maxRevocations: { percent: 100, atLeast: 1000 } },
      state: { directory },
    }),
  );
  const { config } = await loadConfig({ path, environment: {}, readFile: readTextFile });
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const store = await openStore(config, runtime);
  const port = await openConsul(config.consul, OWNER, runtime);
  const providers = await Promise.all(
    config.providers.map((settings) => openProvider(settings, config, runtime)),
  );
  const { deps: core, writes } = createCore(config, { consul: port, providers, store }, runtime);
  // Nobody here is fought: each edit is another one.
  const contention = new Contention({ limit: 1_000_000, windowMs: 1 });
  const deps = { ...core, contention, queue: NO_FOLLOW_UPS };
  const { signal } = new AbortController();
  const plan = async () => {
    await readCurrentState(deps, signal);
    return planEverything(deps.world, deps.window, systemClock.now(), await planAclFleet(deps));
  };
  const foreign = await plantForeign(consul);
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(someStep, { minLength: 1, maxLength: 3 }), async (steps) => {
        for (const step of steps) {
          await prepare(step, idp, consul);
          deps.world.setMapping(toMapping({ ...config, login: step.login }));
          const cause: Cause = { kind: 'command', receivedAt: new Date().toISOString() };
          const failures = await applyOnce(await plan(), cause, deps, writes, () => {}, signal);
          // An answer without people is no success, and does not prevent the other writes.
          const isUnreported = ({ error }: { readonly error: string }) =>
            step.people === undefined && error.includes('contains no people');
          expect(failures.filter((failure) => !isUnreported(failure))).toEqual([]);
          const after = await plan();
          expect(after.acl.changes.map(({ subject, verb }) => `${verb} ${subject}`)).toEqual([]);
          expect(after.changes.map(({ subject, verb }) => `${verb} ${subject}`)).toEqual([]);
          expect(after.jwtProviders).toEqual([]);
          const tokens = await deps.consul.acl.tokens('all', signal);
          await readAllAcl(deps, signal);
          const { owned } = deps.acl.cache;
          // A token whose role somebody deleted has nothing, and waits for the reaper.
          const live = tokens.filter(({ roles }) => roles.length > 0);
          expect(orphans(live, OWNER, deps.acl.cache.snapshot(owned.keys(), []))).toEqual([]);
          await logIn(step, keys, consul);
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
    expect(await consul.request('GET', `/v1/acl/role/name/${foreign.name}`)).toEqual(foreign.role);
    const owners = await deps.consul.acl.tokens('all', signal);
    expect(owners.filter(({ description }) => description === 'somebody')).toHaveLength(1);
  } finally {
    await store.close();
    await port.close();
    for (const { directory: reader } of providers) await reader.close();
    await Promise.all([idp.close(), keys.close()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A role with a name of ours that nobody of the worlds wants, and a token, both somebody else's. */
async function plantForeign(consul: ConsulAccess) {
  const name = 'scopemesh-payments-main-nobody';
  await consul.request('PUT', '/v1/acl/role', { Name: name, Description: 'mine' });
  await consul.request('PUT', '/v1/acl/token', { Description: 'somebody', Roles: [{ Name: name }] });
  return { name, role: await consul.request('GET', `/v1/acl/role/name/${name}`) };
}

async function prepare(step: Step, idp: Idp, consul: ConsulAccess): Promise<void> {
  idp.clients.clear();
  for (const { service, actor, ...client } of step.clients)
    idp.clients.set(client.clientId, {
      ...client,
      attributes: { actor, ...(service === undefined ? {} : { 'consul-services': service }) },
    });
  idp.people = step.people && new Map(step.people.map(({ subject, groups }) => [subject, groups]));
  for (const service of [...SERVICES, 'orders']) {
    const claimant = step.clients.find((client) => client.service === service);
    await consul.request('PUT', '/v1/catalog/register', {
      Node: 'machine-1',
      Address: '10.0.0.1',
      Service: {
        ID: service,
        Service: service,
        Port: 8080,
        Meta: claimant === undefined ? {} : { 'oauth-client-id': claimant.clientId },
      },
    });
  }
  for (const tampering of step.tamperings) await tamper(tampering.what, tampering.which, consul);
}

async function logIn(
  step: Step,
  keys: { sign(claims: Readonly<Record<string, unknown>>): Promise<string> },
  consul: ConsulAccess,
): Promise<void> {
  for (const { clientId } of step.clients) {
    const AuthMethod = clientName(OWNER, { provider: 'main', clientId });
    const BearerToken = await keys.sign({ client_id: clientId, sub: clientId });
    await consul.request('POST', '/v1/acl/login', { AuthMethod, BearerToken }).catch(() => {});
  }
  const AuthMethod = peopleName(OWNER, 'main');
  for (const { subject, groups } of step.people ?? []) {
    const BearerToken = await keys.sign({ client_id: 'web-app', sub: subject, groups });
    await consul.request('POST', '/v1/acl/login', { AuthMethod, BearerToken }).catch(() => {});
  }
}

async function tamper(what: number, which: number, consul: ConsulAccess): Promise<void> {
  const one = async <T extends { readonly Name?: string }>(kind: string): Promise<T | undefined> => {
    const all = (((await consul.request('GET', `/v1/acl/${kind}`)) ?? []) as T[]).filter(
      (each) =>
        (each.Name ?? 'scopemesh-payments-main-').startsWith('scopemesh-payments-') &&
        each.Name !== 'scopemesh-payments-main-nobody',
    );
    return all[which % Math.max(all.length, 1)];
  };
  const role = await one<RawNamed>('roles');
  const method = await one<RawNamed>('auth-methods');
  const policy = await one<RawNamed>('policies');
  const rule = await one<{ readonly ID: string; readonly Name?: string }>('binding-rules');
  if (what === 0 && role !== undefined)
    await consul.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies: [] });
  if (what === 1 && role !== undefined) await consul.request('DELETE', `/v1/acl/role/${role.ID}`);
  if (what === 2 && role !== undefined)
    await consul.request('PUT', `/v1/acl/role/${role.ID}`, {
      ...role,
      ServiceIdentities: [{ ServiceName: 'vault' }],
    });
  if (what === 3 && policy !== undefined)
    await consul.request('PUT', `/v1/acl/policy/${policy.ID}`, { ...policy, Rules: 'operator = "write"' });
  if (what === 4 && policy !== undefined) await consul.request('DELETE', `/v1/acl/policy/${policy.ID}`);
  if (what === 5 && method !== undefined) {
    const whole = (await consul.request('GET', `/v1/acl/auth-method/${method.Name}`)) as { Config: object };
    await consul.request('PUT', `/v1/acl/auth-method/${method.Name}`, {
      ...whole,
      Config: { ...whole.Config, BoundAudiences: ['consul', 'other'] },
    });
  }
  if (what === 6 && rule !== undefined)
    await consul.request('PUT', `/v1/acl/binding-rule/${rule.ID}`, {
      ...rule,
      Selector: '"client_id" in value',
    });
  if (what === 7 && method !== undefined)
    await consul.request('PUT', `/v1/acl/auth-method/${method.Name}`, {
      ...((await consul.request('GET', `/v1/acl/auth-method/${method.Name}`)) as object),
      MaxTokenTTL: '24h',
    });
}
