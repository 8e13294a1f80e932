import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine } from '../../support/command-line.js';
import { bot, type HeldRemovals, held, startHeldRemovals, web } from '../../support/held-removals.js';
import type { Mesh } from '../../support/mesh.js';

let removals: HeldRemovals;
let mesh: Mesh;
let cli: CommandLine;
let decisions: HeldRemovals['decisions'];
let heldId: HeldRemovals['heldId'];

beforeEach(async () => {
  removals = await startHeldRemovals();
  ({ mesh, cli, decisions, heldId } = removals);
});
afterEach(() => removals.close());

async function holdBot(): Promise<string> {
  cli.idp(web);
  expect((await cli.run(['apply', '--yes'])).status).toBe(3);
  expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  return (await heldId('bot')) ?? '';
}

describe('the command that approves a hold', () => {
  it('is printed by apply, plan and decisions list, and its ID is a field of the JSON', async () => {
    cli.idp(web);
    const applied = await cli.run(['apply', '--yes', '--json']);
    const id = await heldId('bot');
    expect(held(applied)).toMatchObject([{ decisionId: id, rejectedBy: null }]);
    const line = new RegExp(`^ +scopemesh approve ${id}$`, 'm');
    for (const args of [['apply', '--yes'], ['plan'], ['decisions', 'list']])
      expect((await cli.run(args)).out).toMatch(line);
    expect(held(await cli.run(['plan', '--json']))).toMatchObject([{ decisionId: id, rejectedBy: null }]);
  });

  it('has --override once somebody rejected the removal', async () => {
    const id = await holdBot();
    await cli.run(['reject', id], { user: 'bob' });
    await cli.run(['apply', '--yes']);
    for (const args of [['apply', '--yes'], ['plan']])
      expect((await cli.run(args)).out).toContain(`scopemesh approve --override ${id}`);
    expect(held(await cli.run(['plan', '--json']))).toMatchObject([
      { decisionId: id, rejectedBy: 'local (bob)' },
    ]);
  });

  it('is gone from decisions list and tail once the hold has ended', async () => {
    const id = await holdBot();
    const lists = [
      ['list'],
      ['list', '--limit', '50'],
      ['list', '--since', '1h', '--subject', 'intention/default/default/orders/bot'],
    ];
    const outputs = async () => {
      const listed = [];
      for (const args of lists) listed.push((await cli.run(['decisions', ...args])).out);
      return listed;
    };
    for (const out of await outputs()) expect(out).toContain(`scopemesh approve ${id}`);
    await cli.run(['reject', id], { user: 'bob' });
    await cli.run(['apply', '--yes']);
    for (const out of await outputs()) expect(out).toContain(`scopemesh approve --override ${id}`);
    await cli.run(['approve', '--override', id]);
    await cli.run(['apply', '--yes']);
    const stop = new AbortController();
    const onOut = (text: string) => text.includes('ClientDeleted') && stop.abort();
    const tail = ['decisions', 'tail', '--since', '1h', '--subject', 'intention/default/default/orders/bot'];
    const { out: tailed } = await cli.run(tail, { signal: stop.signal, onOut });
    for (const out of [...(await outputs()), tailed]) {
      expect(out).toContain('RevocationLimit');
      expect(out).not.toContain('scopemesh approve');
    }
  });

  it('is missing before anything has recorded the hold, and plan says what gives it an ID', async () => {
    cli.idp(web);
    const { out } = await cli.run(['plan']);
    expect(out).toContain('RevocationLimit');
    expect(out).not.toContain('scopemesh approve ');
    expect(out).toMatch(/has no ID yet\. .*scopemesh run.*scopemesh apply/);
  });
});

describe('approve and reject without a daemon', () => {
  it('an approved removal happens once, and its decision names who approved it', async () => {
    const id = await holdBot();
    const approved = await cli.run(['approve', id, '--json'], { user: 'carol' });
    expect(approved.status).toBe(0);
    expect(approved.json()).toEqual({
      approved: [{ id, subject: 'intention/default/default/orders/bot' }],
      errors: [],
    });
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
    const removal = (await decisions()).find(
      ({ data }) => data.action === 'revoke' && data.outcome === 'applied',
    );
    expect(removal?.data).toMatchObject({
      reason: 'ClientDeleted',
      principal: { id: 'local', note: 'carol' },
    });

    cli.idp(web, bot);
    await cli.run(['apply', '--yes']);
    cli.idp(web);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  });

  it('holds are approved by what they are after they were shown, and no other list than that one', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    const byReason = ['approve', '--reason', 'RevocationLimit'];
    const both = await cli.run(byReason);
    const [, digest = ''] = /--confirm (\w{12})$/m.exec(both.err) ?? [];
    expect(both).toMatchObject({ status: 1, err: expect.stringContaining('exactly these 2 changes') });
    for (const source of ['web', 'bot'])
      expect(both.out).toContain(
        `${await heldId(source)}  intention/default/default/orders/${source}  client main/`,
      );

    const one = [...byReason, '--client', 'main/web-app'];
    expect(await cli.run([...one, '--confirm', digest])).toMatchObject({
      status: 1,
      err: expect.stringContaining(`not the changes of --confirm ${digest}`),
    });
    expect((await cli.run(one, { typed: 'no\n' })).status).toBe(1);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    expect((await cli.run(one, { typed: 'yes\n' })).out).toContain(`approved  ${await heldId('web')}`);
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ bot: 'allow' });

    const rest = await cli.run([...byReason, '--client', 'bot']);
    const [, ofRest = ''] = /--confirm (\w{12})$/m.exec(rest.err) ?? [];
    const approved = await cli.run([...byReason, '--confirm', ofRest, '--json']);
    expect(approved.json()).toMatchObject({ approved: [{ id: await heldId('bot') }], errors: [] });
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toBeUndefined();
  });

  it.each([
    [['approve'], 'write IDs, or --reason'],
    [['approve', 'ID', '--reason', 'RevocationLimit'], 'write IDs, or --reason'],
    [['approve', 'ID', '--client', 'bot'], 'write IDs, or --reason'],
    [['approve', '--reason', 'ForeignSource'], 'nobody can approve other holds'],
    [['approve', '--reason', 'RevocationLimit', '--client', 'bot'], 'no held change has this reason'],
  ])('refuses %j', async (args, why) => {
    expect(await cli.run(args)).toMatchObject({ status: 1, err: expect.stringContaining(why) });
  });

  it('an approval releases nothing else', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    await cli.run(['apply', '--yes']);
    await cli.run(['approve', (await heldId('bot')) ?? '']);
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('a rejected removal is not made, has a decision, and is not held again', async () => {
    const id = await holdBot();
    expect((await cli.run(['reject', id])).status).toBe(0);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    const reported = (await decisions()).filter(({ data }) => data.reason === 'RevocationLimit');
    expect(reported.map(({ data }) => data.outcome)).toEqual(['held', 'refused']);
    expect(reported[1]?.data).toMatchObject({ principal: { id: 'local', note: 'alice' } });
  });

  it('an approval of a rejected removal is refused with who rejected it, and passes with --override', async () => {
    const id = await holdBot();
    await cli.run(['reject', id], { user: 'bob' });
    const refused = await cli.run(['approve', id], { user: 'carol' });
    expect(refused).toMatchObject({
      status: 1,
      err: expect.stringMatching(/local \(bob\) rejected this removal at \S+; .*--override/),
    });
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    expect((await cli.run(['approve', id, '--override'], { user: 'carol' })).status).toBe(0);
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('an approval of several removes all but the one that somebody rejected, and exits with 1', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    await cli.run(['apply', '--yes']);
    const [webId, botId] = [(await heldId('web')) ?? '', (await heldId('bot')) ?? ''];
    await cli.run(['reject', webId], { user: 'bob' });
    const approved = await cli.run(['approve', webId, botId, '--json'], { user: 'carol' });
    expect(approved.status).toBe(1);
    expect(approved.json()).toMatchObject({
      approved: [{ id: botId }],
      errors: [{ id: webId, message: expect.stringContaining('local (bob) rejected this removal') }],
    });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('a rejected removal is not made even if the limit would allow it now, also in the plan of apply', async () => {
    expect((await cli.run(['reject', await holdBot()])).status).toBe(0);
    cli.configure({ guards: { maxRevocations: { percent: 100, atLeast: 10 } } });
    const applied = await cli.run(['apply', '--yes', '--json']);
    expect(applied.status).toBe(3);
    expect(applied.json()).toMatchObject({
      changes: [],
      holds: expect.arrayContaining([expect.objectContaining({ reason: 'RevocationLimit' })]),
    });
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  });

  it('refuses other IDs with the reason, and decides the rest', async () => {
    const id = await holdBot();
    const unconfirmed = (await decisions()).find(({ data }) => data.reason === 'ClaimUnconfirmed')?.id ?? '';
    const applied = (await decisions()).find(({ data }) => data.outcome === 'applied')?.id ?? '';
    const { status, json } = await cli.run(['approve', 'nonsense', unconfirmed, applied, id, '--json']);
    expect(status).toBe(1);
    expect(json()).toMatchObject({
      approved: [{ id }],
      errors: [
        { id: 'nonsense', message: expect.stringContaining('no held change') },
        { id: unconfirmed, message: expect.stringContaining('ClaimUnconfirmed') },
        { id: applied, message: expect.stringContaining('ScopeGranted') },
      ],
    });
  });
});
