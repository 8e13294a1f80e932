import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { type Mesh, startMesh } from '../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;
/** Instants: nothing was open; web could read and write; web could read. */
const at: string[] = [];
const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

const web = (...scopes: string[]) => ({
  clientId: 'web-app',
  scopes,
  attributes: { 'consul-services': 'web' },
});
const batch = {
  clientId: 'batch-app',
  scopes: ['vault:connect', 'web:connect'],
  attributes: { 'consul-services': 'batch' },
};

beforeAll(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await mesh.register('orders');
  await mesh.speaks('orders', 'http');
  await mesh.register('vault');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('batch', { client: 'batch-app' });
  cli.configure({ guards: { protected: ['vault'] } });
  const apply = async (...clients: Parameters<CommandLine['idp']>) => {
    cli.idp(...clients);
    const ran = await cli.run(['apply', '--yes']);
    expect(ran.status, ran.err).toBeLessThanOrEqual(3);
    at.push(new Date(systemClock.now()).toISOString());
  };
  at.push(new Date(systemClock.now()).toISOString());
  await apply(web('orders:read', 'orders:write'), batch);
  await apply(web('orders:read'), batch);
  // A foreign allow leads from orders to vault.
  await mesh.write('vault', [{ Name: 'orders', Action: 'allow' }]);
});
afterAll(async () => {
  cli.close();
  await mesh.consul.close();
});

const ask = async (...args: string[]) => (await cli.run([...args, '--json'])).json();
const WRITE = ['--method', 'POST', '--path', '/v1/orders/7'];

describe('questions to the decision log', () => {
  it('say who could call a service, with the client, the scopes and the decisions', async () => {
    expect(await ask('who-can-call', 'orders', '--at', at[0] ?? '')).toMatchObject({ callers: [] });
    expect(await ask('who-can-call', 'orders', '--at', at[1] ?? '')).toMatchObject({
      callers: [
        {
          source: 'web',
          client: { provider: 'main', clientId: 'web-app' },
          scopes: ['orders:read', 'orders:write'],
          certainty: 'applied',
          since: { id: expect.stringMatching(ID), reason: 'ScopeGranted' },
        },
      ],
    });
    const { callers } = await ask('who-can-call', 'orders');
    expect(callers).toMatchObject([{ source: 'web', scopes: ['orders:read'] }]);
    expect((await cli.run(['who-can-call', 'orders'])).out).toContain('GET,HEAD /v1/orders and below');
  });

  it('say who may call a service by intentions of others, as Consul has them now', async () => {
    expect(await ask('who-can-call', 'vault')).toMatchObject({
      callers: [],
      foreign: [{ source: 'orders', destination: 'vault', access: { kind: 'allow' } }],
    });
    expect(await ask('who-can-call', 'vault', '--at', '1s')).toMatchObject({ foreign: null });
    expect((await cli.run(['who-can-call', 'vault'])).out).toContain(
      'orders  everything\n    not owned by scopemesh: the intention orders -> vault in Consul\n',
    );
  });

  it('say whether a call was allowed, by exit status 0 and 4', async () => {
    const status = async (...args: string[]) => (await cli.run(['explain', 'web', 'orders', ...args])).status;
    expect(await status('--at', at[1] ?? '', ...WRITE)).toBe(0);
    expect(await status('--at', at[2] ?? '', ...WRITE)).toBe(4);
    expect(await status('--at', at[0] ?? '')).toBe(4);
    expect(await status('--at', at[2] ?? '')).toBe(0);
  });

  it('say what of a revoked access went on after the revocation', async () => {
    const explain = ['explain', 'web', 'orders', '--at', at[2] ?? ''];
    expect(await ask(...explain)).toMatchObject({ edge: { residual: { nextRequests: true } } });
    expect((await cli.run(explain)).out).toContain('    remains  each pooled connection serves its next');
    expect((await cli.run([...explain.slice(0, -1), at[1] ?? ''])).out).not.toContain('remains');
  });

  it('say what a client, with and without its provider, and a service could do', async () => {
    for (const name of ['web-app', 'main/web-app', 'web'])
      expect(await ask('what-can', name), name).toMatchObject({
        found: [{ edges: [{ source: 'web', destination: 'orders', scopes: ['orders:read'] }] }],
      });
    expect(await ask('what-can', 'other/web-app')).toMatchObject({ found: [{ kind: 'client', edges: [] }] });
    expect(await ask('what-can', 'nobody')).toMatchObject({ error: { code: 'ERR_CONFIG' } });
  });

  it('show the history of a client, held changes too', async () => {
    const { decisions } = await ask('history', 'main/web-app');
    expect(decisions).toMatchObject([
      { data: { action: 'grant', before: null } },
      { data: { action: 'revoke', scopes: ['orders:write'] } },
    ]);
    const { out } = await cli.run(['history', 'vault']);
    expect(out).toContain('ProtectedDestination');
  });

  it('show the difference of two instants', async () => {
    expect(await ask('access', 'diff', at[0] ?? '', at[1] ?? '')).toMatchObject({
      edges: [
        { kind: 'came', source: 'web', destination: 'orders', decisions: [{ reason: 'ScopeGranted' }] },
        { kind: 'came', source: 'batch', destination: 'web' },
      ],
    });
    expect(await ask('access', 'diff', at[1] ?? '', at[2] ?? '')).toMatchObject({
      edges: [{ kind: 'narrowed', source: 'web', destination: 'orders' }],
    });
  });

  it('show what is in reach of a client, foreign edges too, and what a quarantine ends', async () => {
    const radius = await ask('blast-radius', 'batch-app');
    expect(radius).toMatchObject({
      from: 'consul',
      starts: ['batch'],
      reached: [
        { service: 'web', hops: 1, staysReachable: false, edge: { decisionId: expect.stringMatching(ID) } },
        { service: 'orders', hops: 2, edge: { decisionId: expect.stringMatching(ID) } },
        { service: 'vault', hops: 3, edge: { writer: 'foreign' } },
      ],
      protected: [{ service: 'vault', path: ['batch', 'web', 'orders', 'vault'] }],
      endsAtQuarantine: [{ source: 'batch', destination: 'web' }],
    });
    // The trail does not know the foreign edge.
    expect(await ask('blast-radius', 'batch-app', '--at', at[2] ?? '')).toMatchObject({
      from: 'trail',
      reached: [{ service: 'web' }, { service: 'orders' }],
      protected: [{ service: 'vault', path: null }],
    });
  });

  it('count no service whose claim on the client does not count, unless it still has an edge of the client', async () => {
    await mesh.register('impostor', { client: 'batch-app' });
    const startsOf = async (name: string) => {
      const { client, starts } = await ask('blast-radius', name);
      return { client, starts };
    };
    const client = { provider: 'main', clientId: 'batch-app' };
    expect(await startsOf('batch-app')).toEqual({ client, starts: ['batch'] });
    expect(await startsOf('impostor')).toEqual({ client: undefined, starts: ['impostor'] });
    const Description = 'scopemesh:payments client=main/batch-app';
    await mesh.write('audit', [{ Name: 'impostor', Action: 'allow', Description }]);
    expect(await startsOf('batch-app')).toEqual({ client, starts: ['batch', 'impostor'] });
    expect(await startsOf('impostor')).toEqual({ client, starts: ['impostor'] });
    await mesh.request('DELETE', '/v1/config/service-intentions/audit');
    await mesh.deregister('impostor');
  });

  it('are an error where there is no log, which would say that nobody has access', async () => {
    const other = createCommandLine(mesh);
    try {
      const { status, err } = await other.run(['who-can-call', 'orders']);
      expect([status, err]).toEqual([1, expect.stringContaining('state.directory')]);
    } finally {
      other.close();
    }
  });

  it('need --from-topic for a topic', async () => {
    const other = createCommandLine(mesh);
    other.configure({ decisions: { kind: 'kafka', brokers: ['127.0.0.1:9'], topic: 'decisions' } });
    try {
      const { status, err } = await other.run(['who-can-call', 'orders']);
      expect([status, err]).toEqual([1, expect.stringContaining('--from-topic')]);
    } finally {
      other.close();
    }
  });
});
