import type { Command } from 'commander';
import { systemClock } from '../../clock.js';
import type { Consul } from '../../consul/consul.js';
import { SyncError } from '../../errors.js';
import { clientName } from '../../plan/acl/object-names.js';
import type { GrantObjects } from '../../plan/acl/token-power.js';
import { countTokens, isStatic, reportTokens, type TokenReport } from '../../plan/acl/token-report.js';
import { clientLogins } from '../../reconcile/client-logins.js';
import type { Cli } from '../cli.js';
import { type BothSides, withBothSides } from '../load-current-state.js';
import { printTokens } from '../terminal/tokens-text.js';

interface Options {
  readonly static?: true;
  readonly json?: true;
}

export function addTokens(program: Command, cli: Cli): void {
  program
    .command('tokens')
    .summary('list every ACL token of Consul, and whose login could replace the static ones')
    .description(
      'Lists the ACL tokens of Consul: from a login, static, anonymous or for everything; how old they are, when they ' +
        'end, what they may do, and which OAuth client certainly gets as much by logging in. Never their secrets. ' +
        'Where a provider cannot be read, its clients are not looked at, which is said. ' +
        'Changes nothing. The token of scopemesh needs acl = "read" for it.',
    )
    .option('--static', 'only those that somebody made and keeps')
    .option('--json', 'print one JSON document: tokens and summary')
    .addHelpText(
      'after',
      `
Exit status: 0; 1 on error, and where the list cannot be read completely.

Examples:
  scopemesh tokens
  scopemesh tokens --static
  scopemesh tokens --json | jq -r '.tokens[] | select(.replaceableBy != []) | .accessorId'`,
    )
    .action(async (options: Options) => {
      const unread = new Map<string, string>();
      const show = async ({ consul, world, acl }: BothSides) => {
        const now = systemClock.now();
        // Where ACLs are off there is nothing to list, which is no error.
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
      await withBothSides(cli, show, (provider, error) => unread.set(provider, error.message));
    });
}

const NONE: GrantObjects = { policies: [], roles: [] };

/** Policies and roles; why not, where this token may not see them. */
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
