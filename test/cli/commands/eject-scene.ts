import { join } from 'node:path';
import { expect } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import { type CommandLine, type ConsulAddress, createCommandLine } from '../../support/command-line.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';

type Request = (method: string, path: string, body?: unknown) => Promise<unknown>;
type Row = Readonly<Record<string, unknown>>;

/** A Consul where `payments` wrote intentions and ACL objects beside others. */
export interface EjectScene {
  readonly cli: CommandLine;
  /** Config entries and ACL objects without their indexes; marks as they are. */
  snapshot(): Promise<string>;
  close(): Promise<void>;
}

export async function startEjectScene(consul: ConsulAddress, request: Request): Promise<EjectScene> {
  const idp: KeySetServer = await startKeySetServer();
  const cli = createCommandLine(consul);
  cli.configure({
    login: 'on',
    select: { services: ['orders'] },
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: idp.address,
        directory: join(cli.directory, 'clients.json'),
        audience: 'consul',
      },
    ],
    scopes: {
      'orders:read': { to: 'orders', methods: ['GET'], path: '/v1/orders' },
      'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
    },
    actors: { workload: { maxTokenTtl: '15m' } },
  });
  cli.idp({
    clientId: 'web-app',
    scopes: ['orders:read', 'config:read'],
    attributes: { 'consul-services': 'web' },
  });
  const write = (Name: string, Sources: readonly Row[]) =>
    request('PUT', '/v1/config', { Kind: 'service-intentions', Name, Sources });
  await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
  await write('orders', [{ Name: 'cron', Action: 'allow', Description: 'by hand' }]);
  // Outside `select`, as an earlier configuration left it.
  await write('billing', [
    { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' },
    { Name: 'job', Action: 'deny', Description: 'scopemesh:payments-eu client=main/job' },
  ]);
  expect((await cli.run(['apply', '--yes'])).err).not.toMatch(/error/i);
  const list = async (path: string) => ((await request('GET', path)) ?? []) as readonly Row[];
  const acl = async (table: string, one: string, by: string) =>
    Promise.all(
      (await list(`/v1/acl/${table}`)).map((row) => request('GET', `/v1/acl/${one}/${String(row[by])}`)),
    );
  return {
    cli,
    async snapshot() {
      const all = {
        intentions: await list('/v1/config/service-intentions'),
        policies: await acl('policies', 'policy', 'ID'),
        roles: await acl('roles', 'role', 'ID'),
        methods: await acl('auth-methods', 'auth-method', 'Name'),
        rules: await acl('binding-rules', 'binding-rule', 'ID'),
      };
      return JSON.stringify(all, (key, value: unknown) =>
        ['CreateIndex', 'ModifyIndex', 'Hash', 'ModifyTime'].includes(key) ? undefined : value,
      );
    },
    async close() {
      cli.close();
      await idp.close();
    },
  };
}

/** A snapshot without the marks of `payments`. Consul leaves out an empty Description of a source. */
export function withoutMarks(snapshot: string): unknown {
  return JSON.parse(snapshot, (key, value: unknown) => {
    if (key !== 'Description') return value;
    return value === '' || /^scopemesh:payments( |$)/.test(String(value)) ? undefined : value;
  });
}

/** Ejects, and checks that only the marks are gone, and that adoption beside a daemon brings them back. */
export async function ejectAndComeBack({ cli, snapshot }: EjectScene): Promise<void> {
  const before = await snapshot();
  expect(before).toContain('scopemesh:payments client=main/web-app');
  const refused = await cli.run(['eject'], { typed: 'no\n' });
  expect(refused.status).toBe(1);
  expect(await snapshot()).toBe(before);

  const { status, out, json } = await cli.run(['eject', '--yes', '--json']);
  expect([status, json().errors]).toEqual([0, []]);
  expect(json().summary).toEqual({ removed: 6, of: 6 });
  expect(out).toContain('Ejected');
  const after = await snapshot();
  expect(after).not.toMatch(/scopemesh:payments[ "]/);
  expect(after).toContain('scopemesh:payments-eu client=main/job');
  expect(withoutMarks(after)).toEqual(withoutMarks(before));

  const trail = (await cli.run(['decisions', 'list', '--json'])).out.trim().split('\n');
  const ejected = trail.map((line) => JSON.parse(line)).filter(({ data }) => data?.reason === 'Ejected');
  expect(ejected.map(({ subject }) => subject)).toHaveLength(6);
  expect(ejected.every(({ data }) => data.outcome === 'applied')).toBe(true);
  expect((await cli.run(['eject', '--yes'])).out).toContain('No marks of this owner in Consul.');

  const plan = (await cli.run(['plan', '--json'])).json() as { changes: Row[]; holds: { reason: string }[] };
  expect(plan.changes).toEqual([]);
  expect(new Set(plan.holds.map(({ reason }) => reason))).toEqual(
    new Set(['ForeignSource', 'ForeignObject']),
  );
  expect((await besideDaemon(cli, () => cli.run(['adopt', '--yes']))).status).toBe(0);
  expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
}
