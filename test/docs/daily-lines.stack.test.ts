import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { until } from '../stack/process.js';
import { linesOf } from './lines-shell.js';
import { addCaller, type LinesWorld, startLinesWorld } from './lines-world.js';
import { blocks, textOf } from './manual.js';

const BOB = 'bobs-token-of-thirty-two-characters';
/** The ID of the pages. */
const ID = '01KAX0WJ4R8W6K1D6M1N2V9B7T';

let world: LinesWorld;
beforeAll(async () => {
  const [fragment = ''] = blocks(textOf('docs/how-to/break-glass.md'), 'yaml');
  world = await startLinesWorld({
    withConsul: true,
    file: { guards: parse(fragment).guards },
    prepare: (each) => addCaller(each, 'web', 'orders:read'),
  });
});
afterAll(() => world?.close());

const accessOf = async (service: string) => (await world.mesh.access('orders'))?.[service];

describe('the lines that people type every day', () => {
  it('of troubleshoot.md say what is well and what is not', async () => {
    const [all] = linesOf('troubleshoot.md');
    const shown = await world.run(all);
    for (const text of ['The configuration is valid.', '0 errors', 'main  oidc', 'No changes.'])
      expect(shown).toContain(text);
    const inline = 'scopemesh explain web orders --method GET --path /v1/orders';
    expect(textOf('docs/how-to/troubleshoot.md')).toContain(
      inline.replace('web orders', 'SOURCE DESTINATION'),
    );
    expect(await world.run(inline)).toContain('allowed  web -> orders  GET /v1/orders');
  });

  it('of use-the-console.md print an address that signs in', async () => {
    const [lines] = linesOf('use-the-console.md');
    expect(await world.run(lines)).toMatch(/http:\/\/127\.0\.0\.1:\d+\/#code=[\w-]{22}/);
  });

  it('of freeze-changes.md start, show and end a freeze', async () => {
    const [lines] = linesOf('freeze-changes.md');
    const shown = await world.run(lines);
    expect(
      shown.match(/started a freeze, which lets only revocations pass until .*: release 42/g),
    ).toHaveLength(2);
    expect(shown).toContain('no freeze is in effect');
    const reasons = (await world.decisions()).map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(['FreezeStarted', 'FreezeEnded']));
  });

  it('of break-glass.md ask for an edge, which another person must open, and end it', async () => {
    const [lines = '', approve] = linesOf('break-glass.md');
    const [open = '', part = '', list = '', end] = lines.split('\n').filter((line) => line !== '');
    // The source needs no claim, but Consul or a rule must know it.
    await world.mesh.register('ops');
    const asked = { 'web orders': 'ops orders' };
    const shown = await world.run(`${open}\n${part}\n${list} --json`, asked);
    const { grants } = JSON.parse(shown.slice(shown.indexOf('{')));
    expect(grants).toHaveLength(2);
    const [{ id }] = grants;
    // The same person approves nothing.
    await expect(world.run(`scopemesh approve ${id}`)).rejects.toThrow(/another person/);
    expect(await accessOf('ops')).toBeUndefined();
    const http = { listen: `127.0.0.1:${world.port}`, tokens: [{ name: 'bob', token: BOB, approve: 'on' }] };
    await world.configure({ http });
    await world.restart();
    await world.run(`BOB_TOKEN=${BOB}\n${approve}`, { [ID]: id, 'localhost:8080': http.listen });
    await until('the edge is open', async () => (await accessOf('ops')) !== undefined);
    expect(await world.run(`${end}\n${list}`, { [ID]: id })).toMatch(/ops -> orders {2}ended /);
  });

  it('of check-the-mapping-in-a-pipeline.md show what a change would do', async () => {
    const [lines] = linesOf('check-the-mapping-in-a-pipeline.md');
    const narrower = 'sed "s|/v1/orders|/v1/orders/open|" "$SCOPEMESH_CONFIG" > new.yaml';
    const shown = await world.run(`${narrower}\n${lines}`);
    expect(shown).toContain('~ web  GET,HEAD /v1/orders and below -> GET,HEAD /v1/orders/open and below');
    expect(shown).toContain('~ web  GET,HEAD /v1/orders and below -> POST /v1/orders and below');
  });

  it('of read-decisions.md list decisions and follow them', async () => {
    const [lines = ''] = linesOf('read-decisions.md');
    const [tail = '', ...rest] = lines.split('\n');
    const listed = await world.run(rest.join('\n'));
    expect(listed).toMatch(/applied {3}grant {3}web -> orders {2}ScopeGranted/);
    const change = 'scopemesh freeze start --for 1m; scopemesh freeze end';
    const followed = `${tail} > followed & until grep FreezeEnded followed; do ${change}; done; kill "$!"`;
    expect(await world.run(followed)).toContain('FreezeEnded');
  });

  it('of ask-the-trail.md answer for an instant, and say what the log does not know', async () => {
    const [lines] = linesOf('ask-the-trail.md');
    const { id } = await world.decided({
      subject: 'intention/default/default/orders/web',
      outcome: 'applied',
    });
    const now = new Date().toISOString();
    const shown = await world.run(lines, {
      '2026-01-31T12:00:00Z': now,
      '2026-01-01T00:00:00Z': new Date(Date.now() - 3_600_000).toISOString(),
      '2026-02-01T00:00:00Z': now,
      '--method POST': '--method GET',
      '--at 30d': '--at 1s',
    });
    // Each of the six answers cites the decision.
    expect(shown.split(id).length - 1).toBeGreaterThanOrEqual(6);
    // As written, for a time before the log, they answer too, and explain ends as for a call that is not allowed.
    await expect(world.run(lines)).rejects.toThrow(/\(4\) .*the log has no decision about this pair/s);
  });

  it('of write-audit-evidence.md write ten files, also for a period without decisions', async () => {
    const [line] = linesOf('write-audit-evidence.md');
    expect(await world.run(line)).toContain('wrote 10 files to evidence-q1');
    expect(await readdir(join(world.cwd, 'evidence-q1'))).toHaveLength(10);
    await world.run('cd evidence-q1 && sha256sum --check SHA256SUMS');
  });

  it('of read-access-logs.md add the client and the decision to each line', async () => {
    const page = textOf('docs/how-to/read-access-logs.md');
    const [, line = ''] = blocks(page, 'json');
    const { scopemesh: added, ...request } = JSON.parse(line);
    await writeFile(
      join(world.cwd, 'orders.json'),
      `${JSON.stringify({ ...request, start_time: new Date() })}\n`,
    );
    const [lines = '', ...questions] = linesOf('read-access-logs.md');
    const [read, follow = ''] = lines.split('\n');
    const log = { '/var/log/envoy/orders.json': 'orders.json' };
    await world.run(read, log);
    for (const each of questions) await world.run(each);
    const once = `{ ${follow}; } > added.jsonl & until [ -s added.jsonl ]; do sleep 0.1; done; cat added.jsonl`;
    const followed = await world.run(once, log);
    expect(JSON.parse(followed).scopemesh).toMatchObject({
      source: added.source,
      destination: added.destination,
      client: { provider: 'main', clientId: 'web-app' },
      scopes: added.scopes,
      verdict: added.verdict,
    });
  });

  it('of connect-gateways.md register a gateway that claims a client, and check its routes', async () => {
    const [register = '', check] = linesOf('connect-gateways.md');
    const [line, envoy = ''] = register.trim().split('\n');
    const [entry = ''] = blocks(textOf('docs/how-to/connect-gateways.md'), 'hcl');
    await world.run(line);
    // Envoy itself runs in another test; here Consul says that it knows the options.
    expect(await world.run(`${envoy.trim()} -bootstrap || true; cat stderr`)).not.toContain('flag provided');
    await writeFile(join(world.cwd, 'edge.hcl'), entry);
    await world.run('consul config write edge.hcl');
    world.idp.put('edge-app', 'orders:read');
    world.idp.change('edge-app', { attributes: { 'consul-services': 'edge' } });
    await until('the gateway has access', async () => (await accessOf('edge')) !== undefined);
    const shown = await world.run(check);
    expect(shown).toMatch(/allowed {2}edge -> orders$/m);
    // Without a sidecar of orders the call cannot arrive.
    expect(shown).toMatch(/^ {2}arrives +no$/m);
    expect(shown).toContain('0 errors');
  });

  it('of leave-scopemesh.md take the marks away, and then what is in the KV', async () => {
    const [eject = '', remove] = linesOf('leave-scopemesh.md');
    await expect(world.run(`${eject.trim()} --yes`)).rejects.toThrow(/leads|daemon/);
    await world.daemon.stop();
    const access = await world.mesh.access('orders');
    expect(await world.run(`${eject.trim()} --yes`)).toContain('Marks removed: 2 of 2.');
    expect(await world.mesh.access('orders')).toEqual(access);
    const marks = (await world.mesh.entry('orders'))?.Sources.map(({ Description }) => Description ?? '');
    expect(marks?.join('')).toBe('');
    const keys = 'consul kv get -keys -recurse scopemesh/payments/';
    expect(await world.run(keys)).not.toBe('');
    await world.run(remove);
    expect(await world.run(keys)).toBe('');
  });
});
