import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { bot, makeOrders, web } from '../../support/orders-command-line.js';
import { moveInAndLeave, startImportScene } from './import-scene.js';

let mesh: Mesh;
let cli: CommandLine;
let out: string;

beforeAll(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await makeOrders(mesh, cli);
  out = join(cli.directory, 'proposal');
  cli.configure({ scopes: {} });
  await mesh.write('billing', [{ Name: 'bot', Action: 'allow' }]);
  await mesh.write('orders', [{ Name: 'shop`|<b>', Action: 'allow' }]);
});
afterAll(async () => {
  cli.close();
  await mesh.consul.close();
});

describe('scopemesh import', () => {
  it('is undone by eject after adopt: each entry is as it was, with every Description', async () => {
    const filled = await startMesh();
    const scene = await startImportScene(filled, filled.request, { intentions: 40, callers: 6, apis: 4 });
    try {
      await moveInAndLeave(scene, filled);
    } finally {
      scene.cli.close();
      await filled.consul.close();
    }
  });

  it('writes nothing if a side cannot be read completely', async () => {
    cli.brokenIdp('{ "clients": [');
    const unread = await cli.run(['import', '--out', out]);
    expect([unread.status, unread.out]).toEqual([1, '']);
    cli.brokenIdp('{ "clients": [{ "clientId": "shop", "scopes": 5 }] }');
    const spoilt = await cli.run(['import', '--out', out]);
    expect([spoilt.status, spoilt.err]).toEqual([
      1,
      expect.stringContaining('client main/shop cannot be read'),
    ]);
    cli.idp(web, bot);
    const services = 'service_prefix "" { policy = "read" intentions = "read" }';
    const others = ['node', 'key', 'agent'].map((each) => `${each}_prefix "" { policy = "read" }`);
    const useToken = async (rules: string) =>
      cli.configure({
        scopes: {},
        consul: { address: mesh.consul.address, token: await mesh.tokenWith(rules) },
      });
    await useToken(services);
    const part = await cli.run(['import', '--out', out, '--json']);
    expect([part.status, part.json().error]).toMatchObject([1, { code: 'ERR_CONSUL_INCOMPLETE' }]);
    expect(existsSync(out)).toBe(false);

    // A token that may not read ACL objects: only they are left out.
    await useToken([services, ...others].join(' '));
    const left = join(cli.directory, 'left');
    const said = 'The proposal leaves out ACL rules, tokens, roles and policies:';
    const denied = await cli.run(['import', '--out', left]);
    expect([denied.status, denied.err]).toEqual([0, expect.stringMatching(`^${said} .*acl = "read"`)]);
    expect(denied.out).toContain('Intentions: 2. Explained by scopes: 1. Not explained: 1.');
    expect(readFileSync(join(left, 'report.md'), 'utf8')).toContain(`**${said}** `);
    const { json } = await cli.run(['import', '--out', left, '--force', '--json']);
    expect(json()).toMatchObject({ acl: [], aclTrouble: expect.stringContaining('acl = "read"') });
    cli.configure({ scopes: {} });
  });

  it('writes a configuration and a report for their owner alone, and overwrites them only with --force', async () => {
    const before = [await mesh.entry('billing'), await mesh.entry('orders')];
    const { status, out: text, err } = await cli.run(['import', '--out', out]);
    expect([status, err]).toEqual([0, '']);
    expect(text).toContain('Intentions: 2. Explained by scopes: 1. Not explained: 1.');
    const files = ['scopemesh.yaml', 'report.md'].map((name) => join(out, name));
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
    const report = readFileSync(join(out, 'report.md'), 'utf8');
    // What Consul has is text in the report, never markup.
    expect(report).toContain('<code>shop&#96;&#124;&#60;b&#62;</code>');
    expect(report).toMatch(/^\| .*`billing:connect`/m);

    const again = await cli.run(['import', '--out', out]);
    expect(again.status).toBe(1);
    expect(again.err).toContain('add --force');
    expect((await cli.run(['import', '--out', out, '--force'])).status).toBe(0);
    expect([await mesh.entry('billing'), await mesh.entry('orders')]).toEqual(before);
  });

  it('lists each token that is not from a login, and promises no login in its place', async () => {
    const secret = await mesh.tokenWith('key_prefix "" { policy = "read" }');
    const Description = 'scopemesh:payments by hand';
    const more = {
      Description,
      ServiceIdentities: [{ ServiceName: 'bot' }],
      Policies: [{ Name: 'policy-1' }],
    };
    await mesh.request('PUT', '/v1/acl/token', more);
    const list = (await cli.run(['import', '--out', join(cli.directory, 'acl'), '--json'])).json();
    const acl = list.acl as readonly { readonly description: string; readonly detail: string }[];
    expect(acl).toContainEqual(
      expect.objectContaining({
        kind: 'acl-token',
        description: Description,
        gives: expect.arrayContaining([expect.stringContaining('bot'), expect.stringContaining('service')]),
        detail: expect.stringContaining('the provider main has no audience'),
      }),
    );
    expect(acl.map(({ detail }) => detail)).toContain(
      'a management token may do everything; no scope ends it',
    );
    expect(acl.map(({ detail }) => detail)).not.toContainEqual(expect.stringContaining('without a token'));
    expect(JSON.stringify(list)).not.toContain(secret);

    const anonymous = '/v1/acl/token/00000000-0000-0000-0000-000000000002';
    await mesh.request('PUT', anonymous, { Policies: [{ Name: 'policy-1' }] });
    const open = await cli.run(['import', '--out', join(cli.directory, 'acl'), '--force', '--json']);
    expect(open.json().acl).toContainEqual(
      expect.objectContaining({ detail: 'each call without a token may do this; no scope ends it' }),
    );
    await mesh.request('PUT', anonymous, { Policies: [] });
  });

  it('explains 192 intentions on the first day, when no service has a claim', async () => {
    const filled = await startMesh();
    const firstDay = createCommandLine(filled);
    const services = Array.from({ length: 16 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);
    const callersOf = (to: number) => services.filter((_, from) => from !== to && (from + to) % 5 !== 0);
    try {
      const sources = services.map((_, to) => callersOf(to).slice(0, 12));
      for (const [to, callers] of sources.entries())
        await filled.write(
          services[to] ?? '',
          callers.map((Name) => ({ Name, Action: 'allow' })),
        );
      firstDay.idp(
        ...services.map((name) => ({
          clientId: `${name}-client`,
          scopes: services.filter((_, to) => sources[to]?.includes(name)).map((to) => `${to}:call`),
        })),
      );
      firstDay.configure({ scopes: {} });
      const at = (name: string) => join(firstDay.directory, name);
      const without = await firstDay.run(['import', '--out', at('without'), '--json']);
      expect(without.json().summary).toMatchObject({ intentions: 192, explained: 0, guesses: 0 });

      const pattern = ['--client', '{service}-client'];
      const guessed = await firstDay.run(['import', '--out', at('guessed'), '--json', ...pattern]);
      expect(guessed.json().summary).toMatchObject({
        intentions: 192,
        explained: 192,
        rules: 1,
        claimsToMake: 16,
        guesses: 16,
      });
      const report = readFileSync(join(at('guessed'), 'report.md'), 'utf8');
      expect(report).toContain('| `svc-00` (no instance) | `main/svc-00-client` | a guess, ');
      expect(report).toContain('{"clientId":"svc-00-client","attributes":{"consul-services":"svc-00"}}');
      expect(report).toContain('  meta = { "oauth-client-id" = "svc-00-client" }');

      const faulty = await firstDay.run(['import', '--out', at('faulty'), '--client', 'client']);
      expect([faulty.status, faulty.err]).toEqual([1, expect.stringContaining('write {service} once')]);
      await filled.request('PUT', '/v1/acl/token', {
        Description: 'token of svc-01-client',
        ServiceIdentities: [{ ServiceName: 'svc-01' }],
      });
      const byToken = await firstDay.run(['import', '--out', at('token'), '--json']);
      expect(byToken.json()).toMatchObject({ claims: [{ service: 'svc-01', evidence: 'token' }] });
    } finally {
      firstDay.close();
      await filled.consul.close();
    }
  });

  it('never writes to its own configuration, and follows no link without --force', async () => {
    const own = join(cli.directory, 'own');
    mkdirSync(own);
    cli.configure({ scopes: {} });
    const text = readFileSync(cli.configFile, 'utf8');
    const file = join(own, 'scopemesh.yaml');
    writeFileSync(file, text);
    const onto = await cli.run(['-c', file, 'import', '--out', own, '--force']);
    expect([onto.status, onto.err]).toEqual([
      1,
      expect.stringContaining('is the configuration that import reads'),
    ]);
    expect(readFileSync(file, 'utf8')).toBe(text);

    const linked = join(cli.directory, 'linked');
    const target = join(cli.directory, 'target');
    mkdirSync(linked);
    symlinkSync(target, join(linked, 'scopemesh.yaml'));
    expect((await cli.run(['import', '--out', linked])).status).toBe(1);
    expect(existsSync(target)).toBe(false);
  });

  it('keeps the rules of the file, and says which intention they open', async () => {
    cli.configure({});
    const { json } = await cli.run(['import', '--out', join(cli.directory, 'again'), '--json']);
    expect(json()).toMatchObject({
      rules: [],
      explained: [{ source: 'bot', destination: 'billing', scopes: ['billing:connect'] }],
      unexplained: [{ reason: 'UnsuitableName' }],
    });
  });
});
