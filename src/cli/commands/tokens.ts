import type { GrantObjects } from '../../acl/plan/token-power.js';
import { countTokens, isStatic, reportTokens, type TokenReport } from '../../acl/plan/token-report.js';
import { clientLogins } from '../../acl/state/client-logins.js';
import { systemClock } from '../../clock.js';
import type { Consul } from '../../consul/consul.js';
import { SyncError } from '../../errors.js';
import { clientName } from '../../plan/object-names.js';
import { defineCommand, flag } from '../command.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { printTokens } from '../terminal/tokens-text.js';

export const tokens = defineCommand({
  name: 'tokens',
  summary: 'list the ACL tokens of Consul, and the logins that could replace static ones',
  description:
    'Lists the ACL tokens of Consul: their kind (login, static, anonymous or management), age, expiry and ' +
    'permissions, and an OAuth client that gets at least the same permissions by logging in. Never shows secrets. ' +
    'If a provider cannot be read, its clients are not checked. Changes nothing. The token of scopemesh needs ' +
    'acl = "read".',
  takes: { static: flag('list only static tokens') },
  json: 'print one JSON document: tokens and summary',
  exit: '0; 1 on error or if the list is incomplete.',
  examples: [
    'scopemesh tokens',
    'scopemesh tokens --static',
    "scopemesh tokens --json | jq -r '.tokens[] | select(.replaceableBy != []) | .accessorId'",
  ],
  ask(given, cli) {
    const unread = new Map<string, string>();
    const read = async ({ consul, world, acl }: CurrentState) => {
      const now = systemClock.now();
      // If ACLs are off, an empty list is correct.
      const { aclsEnabled } = await consul.inspect(cli.signal);
      const all = aclsEnabled ? await consul.acl.tokens('all', cli.signal) : [];
      const ownId = (await consul.readAclToken(cli.signal))?.accessorId;
      const objects = aclsEnabled ? await readObjects(consul, cli.signal) : NONE;
      const reports = reportTokens({
        tokens: all,
        objects: typeof objects === 'string' ? undefined : objects,
        clients: clientLogins({ world, acl }, now).map(({ client, login }) => ({
          id: { provider: client.provider, clientId: client.clientId },
          desired: login.desired,
        })),
        now,
      }).filter(({ kind }) => given.static !== true || isStatic(kind));
      const rulesTrouble = typeof objects === 'string' ? objects : undefined;
      const facts = { now, ownId, rulesTrouble, unread };
      return { reports, counts: countTokens(all), facts, owner: world.mapping.owner };
    };
    return withCurrentState(cli, read, {
      onUnread: (provider, error) => unread.set(provider, error.message),
    });
  },
  document: ({ reports, counts, facts: { ownId, rulesTrouble, unread }, owner }) => ({
    tokens: reports.map((report) => tokenView(report, owner, ownId)),
    summary: counts,
    rulesTrouble: rulesTrouble ?? null,
    unreadProviders: Object.fromEntries(unread),
  }),
  print: ({ reports, counts, facts }, { screen }) => printTokens(reports, counts, facts, screen),
});

const NONE: GrantObjects = { policies: [], roles: [] };

/** Policies and roles; the reason as text if this token may not read them. */
async function readObjects(consul: Consul, signal: AbortSignal): Promise<GrantObjects | string> {
  try {
    return await consul.acl.read(() => true, signal);
  } catch (error) {
    if (error instanceof SyncError && ['ERR_CONSUL_DENIED', 'ERR_CONSUL_INCOMPLETE'].includes(error.code))
      return error.message;
    throw error;
  }
}

function tokenView(
  { token, kind, ageSeconds, can, replaceableBy }: TokenReport,
  owner: string,
  ownId: string | undefined,
) {
  return {
    kind,
    accessorId: token.accessorId,
    inUseHere: token.accessorId === ownId,
    description: token.description,
    authMethod: token.authMethod ?? null,
    isLocal: token.isLocal,
    createdAt: token.createdAt,
    ageSeconds,
    expiresAt: token.expiresAt ?? null,
    policies: token.policies,
    roles: token.roles,
    serviceIdentities: token.serviceIdentities,
    nodeIdentities: token.nodeIdentities,
    templatedPolicies: token.templatedPolicies,
    can: can ?? null,
    replaceableBy: replaceableBy.map((id) => ({ ...id, authMethod: clientName(owner, id) })),
  };
}
