import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import {
  type Client,
  type CommandLine,
  type ConsulAddress,
  createCommandLine,
} from '../../support/command-line.js';

type Row = Readonly<Record<string, unknown>>;
type Request = (method: string, path: string, body?: unknown) => Promise<unknown>;

/** What `import --json` prints, in part. */
interface Imported {
  readonly summary: Row;
  readonly rules: readonly { readonly scope: string; readonly to: string; readonly evidence: string }[];
  readonly claims: readonly {
    readonly service: string;
    readonly clientId: string;
    readonly meta: Readonly<Record<string, string>> | null;
    readonly attribute: string | null;
  }[];
  readonly explained: readonly { readonly source: string; readonly destination: string }[];
  readonly unexplained: readonly { readonly source: string; readonly reason: string }[];
  readonly acl: readonly { readonly kind: string; readonly detail: string }[];
}

/** How many intentions there are, callers and destinations with a scope. */
export interface SceneSize {
  readonly intentions: number;
  readonly callers: number;
  readonly apis: number;
}

const two = (number: number) => String(number).padStart(2, '0');
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

const permission = (method: string) => ({
  Action: 'allow',
  HTTP: { PathPrefix: '/v1/', Methods: [method] },
});

/** What people write into Descriptions. The last ones look like parts of the mark. */
const DESCRIPTIONS = [
  '',
  'by hand',
  '  spaces  around ',
  'ticket #42: "ops" asked, see <https://wiki/x?a=1&b=2>',
  'größer als 10 % — ✓ 漢字 🙂',
  'line one\nline two\t\\ and a tab',
  'x'.repeat(400),
  'é'.repeat(200),
  ' client=main/admin',
  'text=%41%zz client=main/admin text=',
  'not scopemesh:mesh',
];

/** A Consul filled by hand, and an identity provider that explains most of them. */
export interface ImportScene {
  readonly size: SceneSize;
  readonly cli: CommandLine;
  readonly clients: readonly Client[];
  /** `source -> destination` of what scopes explain, sorted. */
  readonly edges: readonly string[];
  /** The intentions as Consul stores them, as JSON without indexes and hashes. */
  intentions(): Promise<string>;
  /** Makes a token with exactly the rules that the manual names. */
  readToken(): Promise<string>;
  register(service: string, meta?: Readonly<Record<string, string>>): Promise<void>;
}

export async function startImportScene(
  address: ConsulAddress,
  request: Request,
  size: SceneSize,
): Promise<ImportScene> {
  // Each third caller has its client by name, by the client's attribute, or by its own claim.
  const callers = numbers(size.callers).map((at) => ({
    service: `caller-${two(at)}`,
    clientId: at % 3 === 0 ? `caller-${two(at)}` : `app-${two(at)}`,
    attributes: at % 3 === 1 ? { 'consul-services': `caller-${two(at)}` } : {},
    claims: at % 3 === 2,
  }));
  // The even ones by HTTP, with a scope to read and one to write.
  const apis = numbers(size.apis).map((at) => ({ name: `api-${two(at)}`, isHttp: at % 2 === 0 }));
  const cli = createCommandLine(address);
  const register = async (service: string, meta: Readonly<Record<string, string>> = {}) => {
    await request('PUT', '/v1/agent/service/register', { Name: service, Port: 8080, Meta: meta });
  };
  const sources = new Map<string, Row[]>();
  const scopes = new Map<string, string[]>(callers.map(({ service }) => [service, []]));
  const edges: string[] = [];
  let count = 0;
  const add = (destination: string, source: Row, own: readonly string[] = []) => {
    const Description = DESCRIPTIONS[count++ % DESCRIPTIONS.length];
    sources.set(destination, [...(sources.get(destination) ?? []), { ...source, Description }]);
    if (own.length === 0) return;
    edges.push(`${String(source.Name)} -> ${destination}`);
    scopes.get(String(source.Name))?.push(...own);
  };
  for (const [at, { service }] of callers.entries())
    for (const [to, { name, isHttp }] of apis.entries()) {
      if ((at + to) % 3 !== 0) continue;
      const own = isHttp ? (at % 2 === 0 ? ['read', 'write'] : ['read']) : ['call'];
      const access = isHttp
        ? { Permissions: own.map((each) => permission(each === 'read' ? 'GET' : 'POST')) }
        : { Action: 'allow' };
      add(
        name,
        { Name: service, ...access },
        own.map((each) => `${name}:${each}`),
      );
    }
  for (const { service } of callers.slice(0, 2))
    add('warehouse', { Name: service, Action: 'allow' }, ['insights']);
  add('public', { Name: '*', Action: 'allow' });
  add('public', { Name: 'caller-00', Action: 'deny' });
  for (const at of numbers(size.intentions - count))
    add('archive', { Name: `batch-${two(at)}`, Action: 'allow' });
  for (const { name, isHttp } of apis)
    if (isHttp)
      await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: name, Protocol: 'http' });
  for (const [Name, Sources] of sources)
    await request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name,
      Sources,
      Meta: { team: `of ${Name}` },
    });
  for (const { name } of apis) await register(name);
  for (const { service, clientId, claims } of callers)
    await register(service, claims ? { 'oauth-client-id': clientId } : {});
  await request('PUT', '/v1/acl/token', {
    Description: 'sidecar of caller-00',
    ServiceIdentities: [{ ServiceName: 'caller-00' }],
  });
  const clients = callers.map(({ service, clientId, attributes }) => ({
    clientId,
    scopes: scopes.get(service) ?? [],
    attributes,
  }));
  cli.idp(...clients);
  return {
    size,
    cli,
    clients,
    edges: edges.toSorted(),
    register,
    async intentions() {
      const entries = await request('GET', '/v1/config/service-intentions');
      return JSON.stringify(entries, (key, value: unknown) =>
        ['CreateIndex', 'ModifyIndex', 'Hash'].includes(key) ? undefined : value,
      );
    },
    async readToken() {
      const page = readFileSync(new URL('../../../docs/how-to/move-in.md', import.meta.url), 'utf8');
      const [, Rules] = /```hcl\n([\s\S]*?)```/.exec(page) ?? [];
      await request('PUT', '/v1/acl/policy', { Name: 'import', Rules });
      const made = await request('PUT', '/v1/acl/token', { Policies: [{ Name: 'import' }] });
      return String((made as Row).SecretID);
    },
  };
}

/** `import`, then the claims and `adopt` as the manual says, then `eject`. */
export async function moveInAndLeave(scene: ImportScene, { consul }: ConsulAddress): Promise<void> {
  const { cli, clients, edges, intentions } = scene;
  const base = JSON.parse(readFileSync(cli.configFile, 'utf8')) as Row;
  const { scopes: _, owner: __, mode: ___, ...bare } = base;
  const token = await scene.readToken();
  const address = { address: consul.address, token };
  writeFileSync(cli.configFile, JSON.stringify({ ...bare, consul: address }));
  const before = await intentions();
  const out = join(cli.directory, 'proposal');
  const run = await cli.run(['import', '--out', out, '--json']);
  expect([run.status, run.err]).toEqual([0, '']);
  const imported = run.json() as unknown as Imported;
  expect(await intentions()).toBe(before);

  expect(imported.summary).toMatchObject({ intentions: scene.size.intentions, explained: edges.length });
  expect(
    imported.explained.map(({ source, destination }) => `${source} -> ${destination}`).toSorted(),
  ).toEqual(edges);
  expect(imported.rules.map(({ scope, to, evidence }) => [scope, to, evidence])).toEqual([
    ['insights', 'warehouse', 'callers'],
    ['{service}:call', '{service}', 'name'],
    ['{service}:read', '{service}', 'name'],
    ['{service}:write', '{service}', 'name'],
  ]);
  expect(new Set(imported.unexplained.map(({ reason }) => reason))).toEqual(
    new Set(['UnknownSource', 'Wildcard', 'Deny']),
  );
  expect(imported.acl).toContainEqual(
    expect.objectContaining({ kind: 'acl-token', description: 'sidecar of caller-00' }),
  );
  expect(readFileSync(join(out, 'report.md'), 'utf8')).toContain('`batch-00`');

  // The token suffices for the plan too.
  const file = join(out, 'scopemesh.yaml');
  const use = (...args: readonly string[]) => cli.run(['-c', file, ...args]);
  expect((await use('plan', '--json')).status).toBe(0);

  // A person makes the claims, gives scopemesh a token that may write, and switches the writing on.
  const attributes = new Map(imported.claims.map(({ clientId, attribute }) => [clientId, attribute]));
  cli.idp(
    ...clients.map((each) => {
      const names = attributes.get(each.clientId);
      return typeof names === 'string' ? { ...each, attributes: { 'consul-services': names } } : each;
    }),
  );
  for (const { service, meta } of imported.claims) if (meta !== null) await scene.register(service, meta);
  const proposed = readFileSync(file, 'utf8');
  expect(proposed).toContain('mode: observe');
  writeFileSync(
    file,
    proposed.replace('mode: observe', 'mode: enforce').replace(token, () => consul.managementToken),
  );

  expect((await use('validate')).status).toBe(0);
  const adoption = await besideDaemon(cli, () => use('adopt', '--yes', '--json'), { file });
  expect(adoption.json()).toMatchObject({
    summary: { adopted: edges.length, left: 0 },
    errors: [],
  });
  const plan = await use('plan', '--detailed-exitcode', '--json');
  expect(plan.status).toBe(0);
  expect(plan.json()).toMatchObject({ changes: [], holds: [] });
  const adopted = await intentions();
  expect(adopted.match(/"scopemesh:\S+ client=main\//g)).toHaveLength(edges.length);
  expect(withoutMarks(adopted)).toEqual(withoutMarks(before));

  expect((await use('eject', '--yes', '--json')).json()).toMatchObject({
    summary: { removed: edges.length, of: edges.length },
    errors: [],
  });
  expect(await intentions()).toBe(before);
}

function withoutMarks(intentions: string): unknown {
  return JSON.parse(intentions, (key, value: unknown) =>
    key === 'Description'
      ? String(value).replace(/^scopemesh:\S+ client=\S+(?: text=|$)/, '') || undefined
      : value,
  );
}
