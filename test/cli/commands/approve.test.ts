import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { besideDaemon } from '../../support/beside-daemon.js';
import type { CommandLine } from '../../support/command-line.js';
import { bot, guards, type HeldRemovals, held, startHeldRemovals, web } from '../../support/held-removals.js';
import type { Mesh } from '../../support/mesh.js';
import { until } from '../../support/until.js';

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

const reject = (id: string) => besideDaemon(cli, () => cli.run(['reject', id], { user: 'bob' }));

describe('the command that approves a hold', () => {
  it('is printed by apply, plan and decisions list, and its ID is a field of the JSON', async () => {
    cli.idp(web);
    const applied = await cli.run(['apply', '--yes', '--json']);
    const id = await heldId('bot');
    expect(held(applied)).toMatchObject([{ decisionId: id, rejectedBy: null }]);
    for (const args of [['plan'], ['decisions', 'list']])
      expect((await cli.run(args)).out).toMatch(new RegExp(`^ +scopemesh approve ${id}$`, 'm'));
    // No daemon runs beside apply.
    expect((await cli.run(['apply', '--yes'])).out).toContain(`      scopemesh apply --approve ${id}\n`);
    expect(held(await cli.run(['plan', '--json']))).toMatchObject([{ decisionId: id, rejectedBy: null }]);
  });

  it('has --override once somebody rejected the removal', async () => {
    const id = await holdBot();
    await reject(id);
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
    await reject(id);
    for (const out of await outputs()) expect(out).toContain(`scopemesh approve --override ${id}`);
    await besideDaemon(cli, async () => {
      await cli.run(['approve', '--override', id]);
      await until('the removal', async () => (await mesh.access('orders'))?.bot === undefined);
    });
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

it.each([
  ['approve', 'ID'],
  ['reject', '--reason', 'RevocationLimit'],
  ['freeze'],
  ['freeze', 'start'],
  ['adopt', '--yes'],
  ['parked'],
  ['parked', 'retry'],
  ['grant', 'list'],
  ['quarantine', 'main/bot', '--reason', 'INC-1'],
  ['deny', 'web', 'orders', '--for', '2h', '--reason', 'INC-1'],
])('without a daemon %s %s says what to do', async (...args) => {
  const { status, out, err } = await cli.run(args);
  expect([status, out]).toEqual([1, '']);
  expect(err).toMatch(/no daemon .*start scopemesh run.*scopemesh apply --approve ID/);
});

describe('apply --approve', () => {
  const apply = (...ids: readonly string[]) => ['apply', '--yes', ...ids.flatMap((id) => ['--approve', id])];

  it('makes an approved removal once, and the decision names who approved it', async () => {
    const id = await holdBot();
    const applied = await cli.run([...apply(id), '--json'], { user: 'carol' });
    // The claim of a client that is gone stays held.
    expect(applied.status).toBe(3);
    const subject = 'intention/default/default/orders/bot';
    expect(applied.json()).toMatchObject({ approved: [{ id, subject }], errors: [] });
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

  it('releases nothing else, refuses other IDs with the reason, and applies the rest', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    await cli.run(['apply', '--yes']);
    const id = (await heldId('bot')) ?? '';
    const unconfirmed = (await decisions()).find(({ data }) => data.reason === 'ClaimUnconfirmed')?.id ?? '';
    const { status, out, err } = await cli.run(apply('nonsense', unconfirmed, id));
    expect(status).toBe(1);
    expect(out).toContain(`approved  ${id}  intention/default/default/orders/bot\n`);
    expect(err).toContain('scopemesh: nonsense: no held change has this ID');
    expect(err).toContain(`scopemesh: ${unconfirmed}: this change is held as ClaimUnconfirmed`);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('asks first, and a no approves nothing', async () => {
    const id = await holdBot();
    expect((await cli.run(['apply', '--approve', id], { typed: 'no\n' })).status).toBe(1);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
    const { status, err } = await cli.run(['apply', '--approve', id], { typed: 'yes\n' });
    expect([status, err]).toEqual([3, expect.stringContaining('Apply these changes, and approve 1?')]);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('does not count for two persons, and not for what a person rejected', async () => {
    const id = await holdBot();
    cli.configure({ guards: { ...guards, approvers: 2 } });
    const first = await cli.run(apply(id));
    expect([first.status, first.out]).toEqual([3, expect.stringContaining('(another person must approve')]);
    expect((await decisions()).at(-1)?.data).toMatchObject({ reason: 'FirstApproval' });
    const second = await cli.run(apply(id), { user: 'bob' });
    expect([second.status, second.err]).toEqual([1, expect.stringContaining('approved this already')]);
    cli.configure({ guards });
    await reject(id);
    const rejected = await cli.run(apply(id));
    expect([rejected.status, rejected.err]).toEqual([1, expect.stringMatching(/local \(bob\) rejected/)]);
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  });
});

describe('approve and reject', () => {
  it('take holds by what they are after they were shown, and no other list than that one', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    await besideDaemon(cli, async () => {
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
      await until('the removal', async () => (await mesh.access('orders'))?.web === undefined);

      const rest = await cli.run([...byReason, '--client', 'bot']);
      const [, ofRest = ''] = /--confirm (\w{12})$/m.exec(rest.err) ?? [];
      const approved = await cli.run([...byReason, '--confirm', ofRest, '--json']);
      expect(approved.json()).toMatchObject({ approved: [{ id: await heldId('bot') }], errors: [] });
      await until('the removal', async () => (await mesh.access('orders')) === undefined);
    });
  });

  it('refuse arguments that say nothing, too much or nothing held, and other IDs with the reason', async () => {
    const applied = (await decisions()).find(({ data }) => data.outcome === 'applied')?.id ?? '';
    const cases = [
      [[], 'write IDs, or --reason'],
      [['ID', '--reason', 'RevocationLimit'], 'write IDs, or --reason'],
      [['ID', '--client', 'bot'], 'write IDs, or --reason'],
      [['--reason', 'ForeignSource'], 'nobody can approve other holds'],
      [['--reason', 'RevocationLimit', '--client', 'bot'], 'no held change has this reason'],
      [['nonsense'], 'no held change has this ID'],
      [[applied], 'it is applied (ScopeGranted)'],
    ] as const;
    await besideDaemon(cli, async () => {
      for (const [args, why] of cases)
        expect(await cli.run(['approve', ...args])).toMatchObject({
          status: 1,
          err: expect.stringContaining(why),
        });
    });
  });

  it('of several approve all but the one that somebody rejected, and exit with 1', async () => {
    cli.idp({ clientId: 'another', scopes: [] });
    await cli.run(['apply', '--yes']);
    const [webId, botId] = [(await heldId('web')) ?? '', (await heldId('bot')) ?? ''];
    await besideDaemon(cli, async () => {
      await cli.run(['reject', webId], { user: 'bob' });
      const approved = await cli.run(['approve', webId, botId, '--json'], { user: 'carol' });
      expect(approved.status).toBe(1);
      expect(approved.json()).toMatchObject({
        approved: [{ id: botId }],
        errors: [{ id: webId, message: expect.stringContaining('local (bob) rejected this removal') }],
      });
      await until('the removal', async () => (await mesh.access('orders'))?.bot === undefined);
    });
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
  });

  it('keep a rejected removal from being made, with a decision, also where the limit would allow it', async () => {
    const id = await holdBot();
    expect((await reject(id)).status).toBe(0);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    const reported = (await decisions()).filter(({ data }) => data.reason === 'RevocationLimit');
    expect(reported.map(({ data }) => data.outcome)).toEqual(['held', 'refused']);
    expect(reported[1]?.data).toMatchObject({ principal: { id: 'local', note: 'bob' } });
    cli.configure({ guards: { maxRevocations: { percent: 100, atLeast: 10 } } });
    const applied = await cli.run(['apply', '--yes', '--json']);
    expect(applied.status).toBe(3);
    expect(applied.json()).toMatchObject({
      changes: [],
      holds: expect.arrayContaining([expect.objectContaining({ reason: 'RevocationLimit' })]),
    });
    expect(await mesh.access('orders')).toEqual({ web: 'allow', bot: 'allow' });
  });
});
