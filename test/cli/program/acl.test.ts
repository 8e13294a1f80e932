import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let keys: KeySetServer;
let cli: CommandLine;
const NAME = 'scopemesh-payments-main-web-app';

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  keys = await startKeySetServer();
  configure();
  cli.idp(web('config:read'));
});
afterEach(() => keys.close());

function configure(parts: Readonly<Record<string, unknown>> = {}): void {
  cli.configure({
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: keys.address,
        audience: 'consul',
        directory: `${cli.directory}/clients.json`,
      },
    ],
    scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
    ...parts,
  });
}

const web = (...scopes: string[]) => ({ clientId: 'web-app', scopes });
const roles = async () => ((await mesh.request('GET', '/v1/acl/roles')) ?? []) as readonly object[];

describe('plan', () => {
  it('shows the ACL objects to create, with their client and scopes, and counts them', async () => {
    const { status, out } = await cli.run(['plan']);
    expect(status).toBe(0);
    expect(out).toMatch(/ACL objects\n/);
    expect(out).toMatch(
      new RegExp(`\\+ ${NAME} +role +ScopeGranted +scopes config:read, client main/web-app`),
    );
    expect(out).toContain('ACL objects: 4 to create, 0 to update, 0 to delete.');
    expect(await roles()).toEqual([]);
  });

  it('has them in its JSON document, with all that would be written', async () => {
    const document = (await cli.run(['plan', '--json'])).json();
    expect(document).toMatchObject({ summary: { acl: { create: 4, update: 0, delete: 0 } }, holds: [] });
    expect(document.changes).toContainEqual(
      expect.objectContaining({
        subject: `acl-role/${NAME}`,
        action: 'grant',
        verb: 'created',
        before: null,
        after: expect.objectContaining({ name: NAME }),
      }),
    );
  });

  it('exits 2 with --detailed-exitcode if only ACL objects are pending', async () => {
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(2);
    await cli.run(['apply', '--yes']);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
  });

  it('in mode observe shows them, and says that they are not written', async () => {
    configure({ mode: 'observe' });
    const { out } = await cli.run(['plan']);
    expect(out).toContain('(mode observe: not written)');
    expect(out).toMatch(new RegExp(`\\+ ${NAME} +auth method`));
  });
});

describe('apply', () => {
  it('creates them, removes them with their tokens, and reports both', async () => {
    expect((await cli.run(['apply', '--yes', '--json'])).json()).toMatchObject({
      summary: { applied: 4, failed: 0, unknown: 0 },
      errors: [],
    });
    const BearerToken = await keys.sign({ client_id: 'web-app', sub: 'web-app' });
    const { AccessorID } = (await mesh.request('POST', '/v1/acl/login', {
      AuthMethod: NAME,
      BearerToken,
    })) as { AccessorID: string };
    cli.idp({ ...web('config:read'), enabled: false });
    expect((await cli.run(['apply', '--yes', '--json'])).json()).toMatchObject({
      summary: { failed: 0, acl: { delete: 2 } },
      errors: [],
    });
    expect(await roles()).toEqual([]);
    expect(await mesh.request('GET', `/v1/acl/token/${AccessorID}`).catch(() => 'gone')).toBe('gone');
    const policies = (await mesh.request('GET', '/v1/acl/policies')) as readonly { Name: string }[];
    expect(policies.map(({ Name }) => Name)).toEqual(['global-management']);
  });

  it('says why it cannot create them if the identity provider serves no keys', async () => {
    keys.setHealth('failing');
    const { status, err } = await cli.run(['apply', '--yes']);
    expect(status).toBe(1);
    expect(err).toContain('client/main/web-app');
  });
});

describe('adopt', () => {
  const takeMarks = async (change: object = {}) => {
    for (const [list, one] of [
      ['policies', 'policy'],
      ['roles', 'role'],
      ['binding-rules', 'binding-rule'],
    ] as const)
      for (const each of ((await mesh.request('GET', `/v1/acl/${list}`)) ?? []) as readonly Described[]) {
        if (!each.Description?.startsWith('scopemesh:')) continue;
        const whole = (await mesh.request('GET', `/v1/acl/${one}/${each.ID}`)) as object;
        await mesh.request('PUT', `/v1/acl/${one}/${each.ID}`, { ...whole, Description: 'by hand' });
      }
    const method = (await mesh.request('GET', `/v1/acl/auth-method/${NAME}`)) as object;
    await mesh.request('PUT', `/v1/acl/auth-method/${NAME}`, {
      ...method,
      Description: 'by hand',
      ...change,
    });
  };
  interface Described {
    readonly ID: string;
    readonly Description?: string;
  }
  const held = async () =>
    (
      (await cli.run(['apply', '--yes', '--json'])).json().holds as readonly { readonly reason: string }[]
    ).map(({ reason }) => reason);

  it('adopts ACL objects that lost their mark and match the desired state', async () => {
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    await takeMarks();
    const { status, json } = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      changes: [
        { resource: { kind: 'acl-policy' }, reason: 'Adopted', client: { clientId: 'web-app' } },
        { resource: { kind: 'acl-role' }, scopes: ['config:read'] },
        { resource: { kind: 'acl-auth-method' } },
        { resource: { kind: 'acl-binding-rule' } },
      ],
      summary: { adopted: 4 },
      errors: [],
    });
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ changes: [], holds: [] });
    expect((await cli.run(['decisions', 'list'])).out).toContain('Adopted');
  });

  it('shows them and asks first', async () => {
    await cli.run(['apply', '--yes']);
    await takeMarks();
    const { status, out } = await besideDaemon(cli, () => cli.run(['adopt'], { typed: 'no\n' }));
    expect(status).toBe(1);
    expect(out).toMatch(new RegExp(`~ ${NAME} +auth method +scopes config:read, client main/web-app`));
    expect(await mesh.request('GET', `/v1/acl/auth-method/${NAME}`)).toMatchObject({
      Description: 'by hand',
    });
  });

  it('leaves what gives more, which is reported as lost, and what nobody should have any more', async () => {
    await cli.run(['apply', '--yes']);
    await takeMarks({ MaxTokenTTL: '12h' });
    const { json } = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
    expect(json()).toMatchObject({ summary: { adopted: 3 } });
    const { findings } = (await cli.run(['doctor', '--json'])).json();
    expect(findings).toContainEqual(
      expect.objectContaining({
        id: 'acl.marks',
        severity: 'warning',
        message: expect.stringContaining(`: auth-method ${NAME}`),
      }),
    );
    expect(await held()).toEqual(['MarkLost']);
    cli.idp({ ...web('config:read'), enabled: false });
    const { out } = await besideDaemon(cli, () => cli.run(['adopt', '--yes']));
    expect(out).toContain('Nothing to adopt.');
    expect(await held()).toEqual(['MarkLost']);
  });
});
