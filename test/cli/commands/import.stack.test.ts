import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { type Client, type CommandLine, createCommandLine } from '../../support/command-line.js';

type Row = Readonly<Record<string, unknown>>;

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

const TOTAL = 200;
const two = (number: number) => String(number).padStart(2, '0');
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Of 24 callers each third has its client by name, by the client's attribute, or by its own claim. */
const callers = numbers(24).map((at) => ({
  service: `caller-${two(at)}`,
  clientId: at % 3 === 0 ? `caller-${two(at)}` : `app-${two(at)}`,
  attributes: at % 3 === 1 ? { 'consul-services': `caller-${two(at)}` } : {},
  claims: at % 3 === 2,
}));

/** Twenty destinations: the even ones by HTTP, with a scope to read and one to write. */
const apis = numbers(20).map((at) => ({ name: `api-${two(at)}`, isHttp: at % 2 === 0 }));

const permission = (method: string) => ({
  Action: 'allow',
  HTTP: { PathPrefix: '/v1/', Methods: [method] },
});

let consul: ConsulHandle;
let cli: CommandLine;
let clients: readonly Client[];
let edges: readonly { readonly source: string; readonly destination: string }[];

const intentions = async () => {
  const entries = (await consul.request('GET', '/v1/config/service-intentions')) as readonly Row[];
  return JSON.parse(
    JSON.stringify(entries, (key, value: unknown) =>
      ['CreateIndex', 'ModifyIndex', 'Hash', 'Description'].includes(key) ? undefined : value,
    ),
  ) as unknown;
};
/** `source -> destination` with the Description. */
const descriptions = async () => {
  const entries = (await consul.request('GET', '/v1/config/service-intentions')) as readonly Row[];
  return new Map(
    entries.flatMap(({ Name, Sources }) =>
      (Sources as readonly Row[]).map((each) => [`${each.Name} -> ${Name}`, each.Description ?? '']),
    ),
  );
};
/** A token with exactly the rules that the manual names. */
const readToken = async () => {
  const page = readFileSync(new URL('../../../docs/how-to/move-in.md', import.meta.url), 'utf8');
  const [, Rules] = /```hcl\n([\s\S]*?)```/.exec(page) ?? [];
  await consul.request('PUT', '/v1/acl/policy', { Name: 'import', Rules });
  const made = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'import' }] });
  return String((made as Row).SecretID);
};
const register = (service: string, meta: Readonly<Record<string, string>> = {}) =>
  consul.request('PUT', '/v1/agent/service/register', { Name: service, Port: 8080, Meta: meta });

beforeAll(async () => {
  consul = await startConsul();
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  const sources = new Map<string, Row[]>();
  const scopes = new Map<string, string[]>(callers.map(({ service }) => [service, []]));
  const explained: { source: string; destination: string }[] = [];
  const add = (destination: string, source: Row, own: readonly string[] = []) => {
    sources.set(destination, [...(sources.get(destination) ?? []), { ...source, Description: 'by hand' }]);
    if (own.length === 0) return;
    explained.push({ source: String(source.Name), destination });
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
  const left = TOTAL - [...sources.values()].reduce((sum, each) => sum + each.length, 0);
  for (const at of numbers(left)) add('archive', { Name: `batch-${two(at)}`, Action: 'allow' });
  for (const { name, isHttp } of apis)
    if (isHttp)
      await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: name, Protocol: 'http' });
  for (const [Name, Sources] of sources)
    await consul.request('PUT', '/v1/config', { Kind: 'service-intentions', Name, Sources });
  for (const { name } of apis) await register(name);
  for (const { service, clientId, claims } of callers)
    await register(service, claims ? { 'oauth-client-id': clientId } : {});
  await consul.request('PUT', '/v1/acl/token', {
    Description: 'sidecar of caller-00',
    ServiceIdentities: [{ ServiceName: 'caller-00' }],
  });
  clients = callers.map(({ service, clientId, attributes }) => ({
    clientId,
    scopes: scopes.get(service) ?? [],
    attributes,
  }));
  edges = explained;
  cli.idp(...clients);
});

afterAll(async () => {
  cli?.close();
  await consul?.stop();
});

describe('scopemesh import on a real Consul with 200 intentions', () => {
  it('explains what the scopes explain, and after adopt the plan is empty and eject leaves Consul equal', async () => {
    const base = JSON.parse(readFileSync(cli.configFile, 'utf8')) as Row;
    const { scopes: _, owner: __, mode: ___, ...bare } = base;
    const token = await readToken();
    const address = { address: consul.httpAddress, token };
    writeFileSync(cli.configFile, JSON.stringify({ ...bare, consul: address }));
    const before = await intentions();
    const out = join(cli.directory, 'proposal');
    const run = await cli.run(['import', '--out', out, '--json']);
    expect([run.status, run.err]).toEqual([0, '']);
    const imported = run.json() as unknown as Imported;
    expect(await intentions()).toEqual(before);

    expect(imported.summary).toMatchObject({ intentions: TOTAL, explained: edges.length });
    const edgeText = ({ source, destination }: { source: string; destination: string }) =>
      `${source} -> ${destination}`;
    expect(imported.explained.map(edgeText).toSorted()).toEqual(edges.map(edgeText).toSorted());
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
    for (const { service, meta } of imported.claims) if (meta !== null) await register(service, meta);
    const proposed = readFileSync(file, 'utf8');
    expect(proposed).toContain('mode: observe');
    writeFileSync(
      file,
      proposed.replace('mode: observe', 'mode: enforce').replace(token, () => consul.managementToken),
    );

    expect((await use('validate')).status).toBe(0);
    expect((await use('adopt', '--yes', '--json')).json()).toMatchObject({
      summary: { adopted: edges.length, left: 0 },
      errors: [],
    });
    const plan = await use('plan', '--detailed-exitcode', '--json');
    expect(plan.status).toBe(0);
    expect(plan.json()).toMatchObject({ changes: [], holds: [] });
    expect(await intentions()).toEqual(before);

    expect((await use('eject', '--yes', '--json')).json()).toMatchObject({
      summary: { removed: edges.length, of: edges.length },
      errors: [],
    });
    expect(await intentions()).toEqual(before);
    // Besides the mark, the Description of what was adopted is lost, as the manual says.
    const own = new Set(edges.map(edgeText));
    for (const [edge, text] of await descriptions())
      expect([edge, text]).toEqual([edge, own.has(edge) ? '' : 'by hand']);
  });
});
