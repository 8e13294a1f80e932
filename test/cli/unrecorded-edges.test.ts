import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { type Mesh, startMesh } from '../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await mesh.register('billing');
  await mesh.register('bot', { client: 'bot' });
  cli.idp({ clientId: 'bot', scopes: [], attributes: { 'consul-services': 'bot' } });
  await mesh.write('billing', [
    { Name: 'bot', Action: 'allow', Description: 'scopemesh:payments client=main/bot' },
  ]);
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

const UNKNOWN = 'every source with its mark counts as owned here';

it('plan and explain trust the mark where no record can be read, and say so', async () => {
  const plan = await cli.run(['plan', '--json']);
  expect(plan.json()).toMatchObject({ changes: [{ action: 'revoke' }], holds: [] });
  expect(plan.err).toContain(UNKNOWN);
  expect((await cli.run(['explain', 'bot', 'billing'])).err).toContain(UNKNOWN);
});

it('apply holds a marked source without a record, then plan and explain know it, and an approval releases it', async () => {
  const applied = await cli.run(['apply', '--yes', '--json']);
  expect(applied).toMatchObject({ status: 3 });
  expect(await mesh.access('billing')).toEqual({ bot: 'allow' });
  const plan = await cli.run(['plan', '--json']);
  expect(plan.err).not.toContain(UNKNOWN);
  const document = plan.json() as { readonly holds: readonly { readonly decisionId: string }[] };
  expect(document).toMatchObject({ changes: [], holds: [{ reason: 'MarkUnrecorded', action: 'revoke' }] });
  const explained = await cli.run(['explain', 'bot', 'billing', '--json']);
  expect(explained.json()).toMatchObject({
    pending: null,
    holds: [{ reason: 'MarkUnrecorded' }],
    decidedBy: { isOwned: false },
  });
  const [hold] = document.holds;
  expect((await cli.run(['plan'])).out).toContain(`scopemesh approve ${hold?.decisionId}`);
  expect((await cli.run(['doctor'])).out).toContain('has no record of writing them');
  expect((await cli.run(['approve', hold?.decisionId ?? ''])).status).toBe(0);
  expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  expect(await mesh.access('billing')).toBeUndefined();
});

it('plan and explain know it too where the mass guard would hold the removal', async () => {
  cli.configure({ guards: { maxRevocations: { percent: 0, atLeast: 0 } } });
  await cli.run(['apply', '--yes']);
  const plan = (await cli.run(['plan', '--json'])).json();
  expect(plan).toMatchObject({ holds: [{ reason: 'MarkUnrecorded', decisionId: expect.any(String) }] });
  const explained = (await cli.run(['explain', 'bot', 'billing', '--json'])).json();
  expect(explained).toMatchObject({ holds: [{ reason: 'MarkUnrecorded' }] });
});
