import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await mesh.register('billing');
  await mesh.register('bot', { client: 'bot' });
  cli.idp({ clientId: 'bot', scopes: ['billing:connect'], attributes: { 'consul-services': 'bot' } });
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

describe('a source that stands where scopemesh would write its own', () => {
  const equal = { Name: 'bot', Action: 'allow', Description: 'by hand' };

  it('of another instance is said to be that, with what to do, by plan and by adopt', async () => {
    await mesh.write('billing', [{ ...equal, Description: 'scopemesh:other client=main/bot' }]);
    const { out } = await cli.run(['plan']);
    expect(out).toContain('ForeignSource: the scopemesh instance with owner other created this source');
    expect(out).toContain('guards.protected');
    expect(out).not.toContain('scopemesh adopt');
    const adopted = await cli.run(['adopt', '--yes']);
    expect(adopted.status).toBe(0);
    expect(adopted.out).toContain('Nothing to adopt.\n1 left as it is');
    expect(adopted.out).toContain('the scopemesh instance with owner other created this source');
    expect(adopted.out).toContain('! bot -> billing  everything -> everything');
  });

  it('and lets through something else is named by adopt, in JSON too', async () => {
    await mesh.write('billing', [{ ...equal, Action: 'deny' }]);
    expect((await cli.run(['adopt', '--yes'])).out).toContain('1 left as it is: not equal');
    expect((await cli.run(['adopt', '--yes', '--json'])).json()).toMatchObject({
      left: [{ reason: 'ForeignSource', resource: { source: 'bot', destination: 'billing' } }],
      summary: { adopted: 0, left: 1 },
    });
  });

  it('is no longer left once it is adopted', async () => {
    await mesh.write('billing', [equal]);
    const { out } = await cli.run(['adopt', '--yes']);
    expect(out).toContain('Adopted: 1 of 1.');
    expect(out).not.toContain('left as');
  });
});
