import type { GrantObjects } from '../acl/plan/token-power.js';
import { countTokens, isStatic, reportTokens, type TokenReport } from '../acl/plan/token-report.js';
import { clientLogins } from '../acl/state/client-logins.js';
import type { KnownAcl } from '../acl/state/plan-client-acl.js';
import type { Clock } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import { clientName } from '../plan/object-names.js';
import type { ClientId } from '../plan/world.js';
import { runCooperatively } from '../run-cooperatively.js';
import type { WorldState } from '../state/world-state.js';

/** The ACL tokens of Consul, without their secrets. */
export interface TokensRead {
  readonly reports: readonly TokenReport[];
  readonly counts: ReturnType<typeof countTokens>;
  /** The accessor ID of the token that read them. */
  readonly ownId: string | undefined;
  /** Why this token may not read what the tokens may do. */
  readonly rulesTrouble: string | undefined;
}

const NONE: GrantObjects = { policies: [], roles: [] };

/** Reads them, and compares the static ones with the logins of all clients, with other work in between. Throws as Consul does. */
export async function readTokens(
  known: {
    readonly consul: Consul;
    readonly world: WorldState;
    readonly acl: KnownAcl;
    readonly clock: Clock;
  },
  signal: AbortSignal,
): Promise<TokensRead> {
  const { consul, clock } = known;
  // If ACLs are off, an empty list is correct.
  const { aclsEnabled } = await consul.inspect(signal);
  const tokens = aclsEnabled ? await consul.acl.tokens('all', signal) : [];
  const ownId = (await consul.readAclToken(signal))?.accessorId;
  const objects = aclsEnabled ? await readObjects(consul, signal) : NONE;
  const now = clock.now();
  const logins = await runCooperatively(clientLogins(known, now), signal);
  const clients = logins.map(({ client, login }) => ({
    id: { provider: client.provider, clientId: client.clientId },
    desired: login.desired,
  }));
  const isUnread = typeof objects === 'string';
  const work = reportTokens({ tokens, objects: isUnread ? undefined : objects, clients, now });
  return {
    reports: await runCooperatively(work, signal),
    counts: countTokens(tokens),
    ownId,
    rulesTrouble: isUnread ? objects : undefined,
  };
}

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

/** What could take the place of a static token, in words; undefined for another token, and if its permissions are not known. */
export function insteadOf(
  { kind, can, replaceableBy: [first, ...others], nearest, beyond }: TokenReport,
  areAllClientsKnown: boolean,
): string | undefined {
  if (can === undefined || !isStatic(kind)) return undefined;
  if (first !== undefined)
    return `a login of ${shown(first)}${others.length === 0 ? '' : `, or ${others.length} other clients`}`;
  if (beyond.length > 0) return `none, because no login grants ${beyond.join(', ')}`;
  if (!areAllClientsKnown) return 'unknown';
  return nearest === undefined
    ? 'none found'
    : `a login of ${shown(nearest.id)}, once it has ${nearest.lacks.join(', ')}`;
}

const shown = ({ provider, clientId }: ClientId) => `${provider}/${clientId}`;

export function tokenView(
  { token, kind, ageSeconds, can, replaceableBy }: TokenReport,
  { owner, ownId }: { readonly owner: string } & Pick<TokensRead, 'ownId'>,
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
