import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import { startConsulProxy } from '../../support/consul-proxy.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';
import { until } from '../../support/until.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  await mesh.register('billing');
  await mesh.register('bot', { client: 'bot' });
  cli.idp({ clientId: 'bot', scopes: ['billing:connect'], attributes: { 'consul-services': 'bot' } });
});

describe('a foreign source where scopemesh would write its own', () => {
  const equal = { Name: 'bot', Action: 'allow', Description: 'by hand' };

  it('of another instance is named as such, with the remedy, by plan and by adopt', async () => {
    await mesh.write('billing', [{ ...equal, Description: 'scopemesh:other client=main/bot' }]);
    const { out } = await cli.run(['plan']);
    expect(out).toContain('ForeignSource: the scopemesh instance with owner other created this source');
    expect(out).toContain('guards.protected');
    expect(out).not.toContain('scopemesh adopt');
    const adopted = await besideDaemon(cli, () => cli.run(['adopt', '--yes']));
    expect(adopted.status).toBe(0);
    expect(adopted.out).toContain('Nothing to adopt.\n1 left as it is');
    expect(adopted.out).toContain('the scopemesh instance with owner other created this source');
    expect(adopted.out).toContain('! bot -> billing  everything -> everything');
  });

  it('with other access is listed by adopt, in JSON too', async () => {
    await mesh.write('billing', [{ ...equal, Action: 'deny' }]);
    await besideDaemon(cli, async () => {
      expect((await cli.run(['adopt', '--yes'])).out).toContain('1 left as it is:\n');
      expect((await cli.run(['adopt', '--yes', '--json'])).json()).toMatchObject({
        left: [{ reason: 'ForeignSource', resource: { source: 'bot', destination: 'billing' } }],
        summary: { adopted: 0, left: 1 },
      });
    });
  });

  it('is no longer left once it is adopted', async () => {
    await mesh.write('billing', [equal]);
    const { out } = await besideDaemon(cli, () => cli.run(['adopt', '--yes']));
    expect(out).toContain('Adopted: 1 of 1.');
    expect(out).not.toContain('left as');
  });

  it('is adopted by a running daemon, in the turn of its key, and then owned by it', async () => {
    await mesh.write('billing', [equal, { ...equal, Name: 'manual' }]);
    await besideDaemon(cli, async () => {
      const { http } = JSON.parse(readFileSync(cli.configFile, 'utf8'));
      cli.configure({ http, guards: { protected: ['vault'] } });
      const refused = await cli.run(['adopt', '--yes']);
      expect([refused.status, refused.out]).toEqual([1, '']);
      expect(refused.err).toMatch(/another mapping.*SIGHUP/);
      cli.configure({ http });
      // On a slow machine a request may take too long, and what it asked for may be made all the same.
      const { json } = await until('the adoption', async () => {
        const ran = await cli.run(['adopt', '--yes', '--json']);
        return ran.status === 0 && ran;
      });
      expect(json()).toMatchObject({ left: [], summary: { left: 0 }, errors: [] });
      expect((await mesh.entry('billing'))?.Sources).toMatchObject([
        { Name: 'bot', Action: 'allow', Description: 'scopemesh:payments client=main/bot text=by hand' },
        { Name: 'manual', Description: 'by hand' },
      ]);
      await until('no hold', async () => {
        const answer = await fetch(`http://${http.listen}/statusz`);
        return Object(await answer.json()).holds.length === 0;
      });
      const adoptions = await until('the decision', async () => {
        const { decisions } = (await cli.run(['history', 'bot', '--json'])).json() as {
          decisions: { data: Record<string, unknown> }[];
        };
        const found = decisions.filter(({ data }) => data.reason === 'Adopted');
        return found.length > 0 && found;
      });
      expect(adoptions).toMatchObject([
        { data: { outcome: 'applied', principal: { id: 'local', note: 'alice' } } },
      ]);
    });
  });

  it('in an entry of the old intentions API is LegacyEntry to plan and to adopt', async () => {
    // The embedded Consul has no old intentions API.
    const Sources = [
      { ...equal, Precedence: 9, Type: 'consul', LegacyID: '0dc01278-6a4a-4d66-a06b-3c8d6d2b9d3a' },
    ];
    const legacy = { Kind: 'service-intentions', Name: 'billing', Sources, CreateIndex: 1, ModifyIndex: 1 };
    const proxy = await startConsulProxy(mesh.consul.address);
    proxy.interfere = ({ target }) =>
      /^\/v1\/config\/service-intentions[/?]/.test(target)
        ? {
            status: 200,
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(target.startsWith('/v1/config/service-intentions?') ? [legacy] : legacy),
          }
        : undefined;
    cli.configure({ consul: { address: proxy.address, token: mesh.consul.managementToken } });
    try {
      const { out } = await cli.run(['plan']);
      expect(out).toContain("LegacyEntry: the entry has sources that Consul's old intentions API created");
      expect(out).not.toContain('ForeignSource');
      const adopted = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
      expect(adopted.json()).toMatchObject({
        left: [{ reason: 'LegacyEntry', resource: { source: 'bot', destination: 'billing' } }],
        summary: { adopted: 0, left: 1 },
      });
    } finally {
      await proxy.close();
    }
  });

  it.each([
    [
      'kubernetes',
      'not owned by scopemesh; consul-k8s makes it from a ServiceIntentions resource: by hand)',
      'spec.destination.name is "billing"',
    ],
    ['nomad', 'not owned by scopemesh; nomad manages it: by hand)', 'another tool manages this entry'],
  ])('in an entry of %s is explained with what makes it, open or held', async (tool, manager, hold) => {
    const Meta = { 'external-source': tool };
    const write = (Name: string, Sources: readonly object[]) =>
      mesh.request('PUT', '/v1/config', { Kind: 'service-intentions', Name, Meta, Sources });
    await write('billing', [{ ...equal, Name: 'admin' }]);
    expect(await cli.run(['explain', 'admin', 'billing'])).toMatchObject({
      status: 0,
      out: expect.stringContaining(manager),
    });
    await write('billing', [equal]);
    const { out } = await cli.run(['explain', 'bot', 'billing']);
    expect(out).toContain(manager);
    expect(out).toContain('ManagedElsewhere');
    expect(out).toContain(hold);
    const { json } = await cli.run(['explain', 'bot', 'billing', '--json']);
    expect(json()).toMatchObject({ decidedBy: { isOwned: false, manager: expect.stringContaining('it') } });
  });

  it('in an entry that another tool manages is ManagedElsewhere to plan and to adopt', async () => {
    await mesh.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'billing',
      Meta: { 'external-source': 'kubernetes' },
      Sources: [equal],
    });
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({
      holds: [{ reason: 'ManagedElsewhere' }],
    });
    const adopted = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
    expect(adopted.json()).toMatchObject({ left: [{ reason: 'ManagedElsewhere' }] });
  });
});

describe('an entry that would be too large for Consul', () => {
  it('is shown by plan as the daemon holds it', async () => {
    // Foreign sources that fill the entry up to 2 MiB.
    const sources = Array.from({ length: 4_300 }, (_, at) => ({
      Name: `other-${at}`,
      Action: 'deny',
      Description: 'x'.repeat(480),
    }));
    await mesh.write('billing', sources);
    const { json } = await cli.run(['plan', '--json']);
    expect(json()).toMatchObject({
      changes: [],
      holds: [{ reason: 'EntryTooLarge', resource: { source: 'bot', destination: 'billing' } }],
    });
  });
});
