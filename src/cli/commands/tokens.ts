import type { GrantObjects } from '../../acl/plan/token-power.js';
import { countTokens, isStatic, reportTokens, type TokenReport } from '../../acl/plan/token-report.js';
import { clientLogins } from '../../acl/state/client-logins.js';
import { systemClock } from '../../clock.js';
import type { Consul } from '../../consul/consul.js';
import { SyncError } from '../../errors.js';
import { clientName } from '../../plan/object-names.js';
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { printTokens } from '../terminal/tokens-text.js';

interface Options {
  readonly static?: true;
  readonly json?: true;
}

export function addTokens(program: DocumentedCommand, cli: Cli): void {
  program
    .command('tokens')
    .summary('list the ACL tokens of Consul, and the logins that could replace static ones')
    .description(
      'Lists the ACL tokens of Consul: their kind (login, static, anonymous or management), age, expiry and ' +
        'permissions, and an OAuth client that gets at least the same permissions by logging in. Never shows secrets. ' +
        'If a provider cannot be read, its clients are not checked. Changes nothing. The token of scopemesh needs ' +
        'acl = "read".',
    )
    .option('--static', 'list only static tokens')
    .option('--json', 'print one JSON document: tokens and summary')
    .endHelp(`
Exit status: 0; 1 on error or if the list is incomplete.

Examples:
  scopemesh tokens
  scopemesh tokens --static
  scopemesh tokens --json | jq -r '.tokens[] | select(.replaceableBy != []) | .accessorId'`)
    .action(async (options: Options) => {
      const unread = new Map<string, string>();
      const show = async ({ consul, world, acl }: CurrentState) => {
        const now = systemClock.now();
        // If ACLs are off, an empty list is correct.
        const { aclsEnabled } = await consul.inspect(cli.signal);
        const tokens = aclsEnabled ? await consul.acl.tokens('all', cli.signal) : [];
        const ownId = (await consul.readAclToken(cli.signal))?.accessorId;
        const objects = aclsEnabled ? await readObjects(consul, cli.signal) : NONE;
        const reports = reportTokens({
          tokens,
          objects: typeof objects === 'string' ? undefined : objects,
          clients: clientLogins({ world, acl }, now).map(({ client, login }) => ({
            id: { provider: client.provider, clientId: client.clientId },
            desired: login.desired,
          })),
          now,
        }).filter(({ kind }) => options.static !== true || isStatic(kind));
        const counts = countTokens(tokens);
        const rulesTrouble = typeof objects === 'string' ? objects : undefined;
        if (options.json)
          cli.screen.json({
            tokens: reports.map((report) => tokenView(report, world.mapping.owner, ownId)),
            summary: counts,
            rulesTrouble: rulesTrouble ?? null,
            unreadProviders: Object.fromEntries(unread),
          });
        else printTokens(reports, counts, { now, ownId, rulesTrouble, unread }, cli.screen);
      };
      await withCurrentState(cli, show, {
        onUnread: (provider, error) => unread.set(provider, error.message),
      });
    });
}

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
