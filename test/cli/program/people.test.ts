import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine } from '../../support/command-line.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let keys: KeySetServer;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  keys = await startKeySetServer();
  configure({});
});
afterEach(() => keys.close());

const GROUPS = { oncall: { acl: 'key_prefix "config/" { policy = "read" }' } };
const configure = (changes: Readonly<Record<string, unknown>>) =>
  cli.configure({
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: keys.address,
        audience: 'consul',
        directory: `${cli.directory}/clients.json`,
      },
    ],
    groups: GROUPS,
    guards: { maxRevocations: { percent: 20, atLeast: 1, window: '10m' } },
    ...changes,
  });
const idp = (people: Readonly<Record<string, readonly string[]>> | undefined) =>
  cli.brokenIdp(
    JSON.stringify({
      clients: [{ clientId: 'portal', scopes: [] }],
      people: people && Object.entries(people).map(([subject, groups]) => ({ subject, groups })),
    }),
  );
const roles = async () =>
  ((await mesh.request('GET', '/v1/acl/roles')) as readonly { readonly Name: string }[]).filter(({ Name }) =>
    Name.startsWith('scopemesh-payments-main-_person-'),
  );
const held = ({ json }: { json(): Record<string, unknown> }) =>
  (json().holds as readonly { readonly reason: string; readonly person?: unknown }[]).map(
    ({ reason, person }) => ({ reason, person }),
  );

describe('doctor', () => {
  const groupsFound = async () => {
    const { json } = await cli.run(['doctor', '--json']);
    const findings = json().findings as readonly { readonly id: string }[];
    return findings.find(({ id }) => id === 'provider.main.groups');
  };

  it('names the claim and the value that a token needs for each group', async () => {
    idp({ ann: ['oncall'] });
    const { json } = await cli.run(['doctor', '--json']);
    const findings = json().findings as readonly { readonly id: string }[];
    expect(findings.find(({ id }) => id === 'provider.main.group-claims')).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining(
        'aud must contain "consul" and, by group, groups must contain "oncall"',
      ),
      remedy: expect.stringContaining('scopemesh explain --person main/'),
    });
  });

  it('names the claims and values that a token needs for the login of a client, if clients may log in', async () => {
    idp({ ann: ['oncall'] });
    const found = async () => {
      const findings = (await cli.run(['doctor', '--json'])).json().findings as readonly { id: string }[];
      return findings.find(({ id }) => id === 'provider.main.client-claims');
    };
    expect(await found()).toBeUndefined();
    configure({ login: 'on' });
    expect(await found()).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining(
        'aud must contain "consul", client_id must equal "CLIENT-ID", sub must equal "CLIENT-ID"',
      ),
      remedy: expect.stringContaining('scopemesh explain --client main/CLIENT-ID'),
    });
  });

  it('names groups without members, and says if members cannot be read', async () => {
    configure({ groups: { ...GROUPS, 'on-call': GROUPS.oncall } });
    idp({ ann: ['oncall'] });
    expect(await groupsFound()).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^on-call of provider main has no members/),
    });
    idp({ ann: ['oncall'], ben: ['on-call'] });
    expect(await groupsFound()).toMatchObject({ severity: 'ok' });
    idp(undefined);
    expect(await groupsFound()).toMatchObject({ severity: 'error' });
  });
});

describe('plan and apply', () => {
  it('admit the members of a mapped group, and then have nothing left to do', async () => {
    idp({ ann: ['oncall'], ben: ['oncall'], cy: [] });
    const plan = await cli.run(['plan']);
    expect(plan.out).toMatch(/_person-\w+ +role +MembershipAdded +person main\/ann by oncall/);
    expect(await roles()).toEqual([]);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(2);
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await roles()).toHaveLength(2);
    const log = await cli.run(['decisions', 'list']);
    expect(log.out).toMatch(/ grant .* acl-role \S+ +MembershipAdded +person main\/ann by oncall /);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
  });

  it('remove people who left, and hold removals beyond the limit with the person’s name', async () => {
    idp({ ann: ['oncall'], ben: ['oncall'], cy: ['oncall'] });
    await cli.run(['apply', '--yes']);
    idp({ ann: ['oncall'], ben: ['oncall'], cy: [] });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await roles()).toHaveLength(2);
    idp({});
    const plan = await cli.run(['plan', '--json']);
    expect(held(plan)).toEqual([
      {
        reason: 'RevocationLimit',
        person: { provider: 'main', subject: expect.any(String), group: 'oncall', actorKind: 'human' },
      },
      { reason: 'RevocationLimit', person: expect.objectContaining({ group: 'oncall' }) },
    ]);
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await roles()).toHaveLength(2);
  });

  it('say that the members are unknown, and change nobody', async () => {
    idp({ ann: ['oncall'] });
    await cli.run(['apply', '--yes']);
    idp(undefined);
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect(status).toBe(0);
    expect(out).toContain('IncompleteRead');
    const applied = await cli.run(['apply', '--yes']);
    expect(applied.status).toBe(1);
    expect(applied.err + applied.out).toContain('contains no people');
    expect(await roles()).toHaveLength(1);
  });

  it('write nothing in observe, remove nobody in extend, and report the holds', async () => {
    idp({ ann: ['oncall'], ben: ['oncall'] });
    configure({ mode: 'observe' });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await roles()).toEqual([]);
    configure({ mode: 'extend' });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await roles()).toHaveLength(2);
    idp({ ann: ['oncall'], ben: [], cy: ['oncall'] });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    expect(await roles()).toHaveLength(3);
    expect(held(await cli.run(['plan', '--json'])).map(({ reason }) => reason)).toContain('ModeForbids');
  });

  it('remove all objects of people if no group is mapped any more', async () => {
    idp({ ann: ['oncall'] });
    await cli.run(['apply', '--yes']);
    configure({ groups: {} });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    for (const kind of ['roles', 'policies', 'auth-methods', 'binding-rules']) {
      const left = ((await mesh.request('GET', `/v1/acl/${kind}`)) ?? []) as readonly { Name?: string }[];
      expect(
        left.filter(({ Name = '' }) => Name.startsWith('scopemesh-')),
        kind,
      ).toEqual([]);
    }
  });
});

describe('explain --person', () => {
  it('shows what the groups give and how to log in, and what Consul does not have yet', async () => {
    idp({ 'auth0|ann': ['oncall'], ben: [] });
    const asked = ['explain', '--person', 'main/auth0|ann'];
    const { status, out } = await cli.run(asked);
    expect(status).toBe(4);
    expect(out).toMatch(
      /^may log in once Consul has the auth method: see scopemesh plan {2}main\/auth0\|ann \(human\)$/m,
    );
    expect(out).toMatch(/^ {2}group +oncall: \{"key_prefix".*not in Consul yet/m);
    expect(out).toContain('in the token, groups must contain "oncall"');
    expect(out).toContain('aud must contain "consul"');
    expect(out).toContain('sub must equal "auth0|ann"');
    await cli.run(['apply', '--yes']);
    const made = await cli.run(asked);
    expect(made.status).toBe(0);
    expect(made.out).toMatch(/^may log in {2}main/);
    expect(made.out).not.toContain('not in Consul yet');
    const { json } = await cli.run([...asked, '--json']);
    expect(json()).toMatchObject({
      person: { provider: 'main', subject: 'auth0|ann', actorKind: 'human' },
      mayLogIn: true,
      isMade: true,
      login: { authMethod: 'scopemesh-payments-main-_people', audiences: ['consul'] },
      groups: [
        {
          group: 'oncall',
          isMember: true,
          stands: true,
          tokenClaim: { claim: 'groups', must: 'contain', value: 'oncall' },
        },
      ],
      holds: [],
    });
  });

  it('exits 4 for a person without a mapped group, and while the members are unknown', async () => {
    idp({ ann: ['oncall'] });
    const { status, out } = await cli.run(['explain', '--person', 'main/ben']);
    expect([status, out]).toEqual([4, expect.stringContaining('oncall: not a member')]);
    idp(undefined);
    const unknown = await cli.run(['explain', '--person', 'main/ann']);
    expect(unknown.status).toBe(4);
    expect(unknown.out).toContain('its members could not be read');
    expect(unknown.out).toContain('IncompleteRead');
  });

  it('is an error for an unknown provider, or together with a client or a call', async () => {
    idp({});
    expect((await cli.run(['explain', '--person', 'other/ann'])).status).toBe(1);
    expect((await cli.run(['explain', '--person', 'main/ann', '--client', 'main/x'])).status).toBe(1);
    expect((await cli.run(['explain', 'web', 'orders', '--person', 'main/ann'])).status).toBe(1);
  });
});
