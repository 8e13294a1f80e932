import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../stack/ports.js';
import { type Client, type CommandLine, createCommandLine } from '../../support/command-line.js';
import { held } from '../../support/held-removals.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { until } from '../../support/until.js';

/** A Description has no room for its ID. */
const long = (at: number): Client => ({
  clientId: `client ${at} ${'ß'.repeat(120)}`,
  scopes: ['config:read'],
});
const web: Client = { clientId: 'web', scopes: ['config:read'] };

let mesh: Mesh;
let keys: KeySetServer;
let cli: CommandLine;
let stop: AbortController | undefined;
let running: Promise<{ readonly status: number }> | undefined;

beforeEach(async () => {
  [mesh, keys] = [await startMesh(), await startKeySetServer()];
  cli = createCommandLine(mesh);
  cli.configure(settings());
  cli.idp(web, long(1), long(2));
  expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  expect(await methods()).toBe(3);
});
afterEach(async () => {
  stop?.abort(new Error('stopped by a signal'));
  await running;
  [stop, running] = [undefined, undefined];
  cli.close();
  await keys.close();
  await mesh.consul.close();
});

const settings = (port = 9) => ({
  guards: { maxRevocations: { percent: 0, atLeast: 0 } },
  scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
  http: { listen: `127.0.0.1:${port}` },
  providers: [
    {
      name: 'main',
      kind: 'oidc',
      issuer: keys.address,
      audience: 'consul',
      directory: `${cli.directory}/clients.json`,
      poll: '100ms',
      fullRead: '1s',
    },
  ],
});
const methods = async () => Object(await mesh.request('GET', '/v1/acl/auth-methods')).length as number;

/** The IDs in the lines `scopemesh approve ID` of a plan. */
async function printedIds(): Promise<readonly string[]> {
  const { out } = await cli.run(['plan']);
  return [...out.matchAll(/scopemesh approve (\S+)$/gm)].flatMap(([, id]) => id ?? []);
}

async function startDaemon(): Promise<void> {
  const port = await freePort();
  cli.configure(settings(port));
  stop = new AbortController();
  running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
  await until('the daemon leads', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/statusz`).catch(() => undefined);
    return answer?.ok === true && Object(await answer.json()).leader === true;
  });
}

/** The lines that the daemon's holds give, once there are so many. */
const heldBy = (count: number) =>
  until(`${count} holds`, async () => {
    const ids = await printedIds();
    return ids.length === count ? ids : undefined;
  });

describe('objects of clients that no Description names and no read shows, beyond the limit', () => {
  it('are held by apply, and the one is removed that a person approves by the printed line', async () => {
    cli.idp(web);
    expect(held(await cli.run(['plan', '--json']))).toHaveLength(2);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await methods()).toBe(3);
    const [first = '', second = ''] = await printedIds();
    expect((await cli.run(['doctor'])).out).toContain('the mass guard holds 2 removals');
    const approve = (id: string) => cli.run(['apply', '--yes', '--approve', id], { user: 'carol' });
    expect((await approve(first)).status).toBe(3);
    expect(await methods()).toBe(2);
    const { out } = await cli.run(['decisions', 'list', '--json']);
    expect(out).toContain('"principal":{"id":"local","note":"carol"}');
    expect((await approve(second)).status).toBe(0);
    expect(await methods()).toBe(1);
  });

  it('are held by a daemon over a restart, which removes at once what a person approves', async () => {
    cli.idp(web);
    await startDaemon();
    const [first = '', second = ''] = await heldBy(2);
    expect((await cli.run(['reject', second], { user: 'bob' })).status).toBe(0);
    stop?.abort(new Error('stopped by a signal'));
    await running;
    await startDaemon();
    expect((await cli.run(['approve', first], { user: 'carol' })).status).toBe(0);
    await until('one is removed', async () => (await methods()) === 2);
    await until('one hold', async () => held(await cli.run(['plan', '--json'])).length === 1);
    expect(held(await cli.run(['plan', '--json']))).toMatchObject([
      { decisionId: second, rejectedBy: 'local (bob)' },
    ]);
    // The rejected one stays, and only an override changes that.
    expect(await cli.run(['approve', second])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--override'),
    });
    expect(await methods()).toBe(2);
    expect((await cli.run(['approve', second, '--override'])).status).toBe(0);
    await until('both are removed', async () => (await methods()) === 1);
  });

  it('are held where they vanish beside a daemon, and apply removes the approved one', async () => {
    await startDaemon();
    cli.idp(web);
    const [first = ''] = await heldBy(2);
    stop?.abort(new Error('stopped by a signal'));
    await running;
    cli.configure(settings());
    expect((await cli.run(['apply', '--yes', '--approve', first])).status).toBe(3);
    expect(await methods()).toBe(2);
  });

  it('wait although they are approved while a record has no ID, and approve says so', async () => {
    cli.idp(web);
    await startDaemon();
    const [first = ''] = await heldBy(2);
    cli.brokenIdp(
      JSON.stringify({
        clients: [{ ...web, grantTypes: ['client_credentials'], enabled: true, attributes: {} }, {}],
      }),
    );
    await until('the hold of the record', async () =>
      (await cli.run(['decisions', 'list', '--json'])).out.includes('"ClientUnreadable"'),
    );
    const approved = await cli.run(['approve', first], { user: 'carol' });
    expect(approved.out).toMatch(
      /\(it waits: the directory of main has a record without a readable client id\)$/m,
    );
    expect(await methods()).toBe(3);
    cli.idp(web);
    await until('one is removed', async () => (await methods()) === 2);
  });

  it('are held no longer when their clients come back', async () => {
    cli.idp(web);
    await startDaemon();
    await heldBy(2);
    cli.idp(web, long(1), long(2));
    await until('no hold', async () => held(await cli.run(['plan', '--json'])).length === 0);
    const ended = await until('the ends of both holds', async () => {
      const { out } = await cli.run(['decisions', 'list', '--json']);
      return out.split('\n').filter((line) => line.includes('"HoldEnded"')).length === 2;
    });
    expect(ended).toBe(true);
    expect(await methods()).toBe(3);
  });
});
