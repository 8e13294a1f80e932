import { beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../support/beside-daemon.js';
import type { CommandLine } from '../support/command-line.js';
import { held } from '../support/held-removals.js';
import type { Mesh } from '../support/mesh.js';
import { openCommandLine } from '../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  await mesh.register('billing');
  await mesh.register('bot', { client: 'bot' });
  cli.idp({ clientId: 'bot', scopes: [], attributes: { 'consul-services': 'bot' } });
  await mesh.write('billing', [
    { Name: 'bot', Action: 'allow', Description: 'scopemesh:payments client=main/bot' },
  ]);
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
  expect((await cli.run(['apply', '--yes', '--approve', hold?.decisionId ?? ''])).status).toBe(0);
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

describe('a removal that the limit holds because of earlier ones', () => {
  const clients = ['one', 'two', 'three'].map((clientId) => ({
    clientId,
    scopes: ['billing:connect'],
    attributes: { 'consul-services': clientId },
  }));
  const last = { clientId: 'last', scopes: [] };
  const guards = { maxRevocations: { percent: 0, atLeast: 2 } };

  beforeEach(async () => {
    cli.configure({ guards });
    for (const { clientId } of clients) {
      await mesh.register(clientId, { client: clientId });
      await mesh.register(`${clientId}-api`);
    }
    const connected = clients.map((each) => ({ ...each, scopes: [`${each.clientId}-api:connect`] }));
    cli.idp(last, ...connected);
    await cli.run(['apply', '--yes']);
    cli.idp(last, ...connected.slice(0, 1));
    await cli.run(['apply', '--yes']);
    cli.idp(last);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('one-api')).toEqual({ one: 'allow' });
  });

  it('is held in the plan too, with its ID, and is not counted as pending', async () => {
    const plan = await cli.run(['plan', '--json', '--detailed-exitcode']);
    expect(plan.status).toBe(0);
    expect(plan.json()).toMatchObject({ changes: [], summary: { close: 0 } });
    expect(held(plan)).toMatchObject([{ decisionId: expect.stringMatching(/^01/), rejectedBy: null }]);
    const explained = await cli.run(['explain', 'one', 'one-api', '--json']);
    expect(explained.json()).toMatchObject({
      pending: null,
      holds: expect.arrayContaining([expect.objectContaining({ reason: 'RevocationLimit' })]),
    });
  });

  it('is held after its rejection, also where the limit would let it pass', async () => {
    const [hold] = held(await cli.run(['plan', '--json']));
    await besideDaemon(cli, () => cli.run(['reject', hold?.decisionId ?? ''], { user: 'bob' }));
    cli.configure({ guards: { maxRevocations: { percent: 100, atLeast: 100 } } });
    expect(held(await cli.run(['plan', '--json']))).toMatchObject([{ rejectedBy: 'local (bob)' }]);
  });

  it('is planned once the identity provider reports it', async () => {
    cli.idp(last, { ...last, clientId: 'one', enabled: false });
    const plan = await cli.run(['plan', '--json']);
    expect(plan.json()).toMatchObject({ changes: [{ action: 'revoke', reason: 'ClientDisabled' }] });
    expect(held(plan)).toEqual([]);
  });
});
