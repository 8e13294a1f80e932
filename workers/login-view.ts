import type { Consul } from '../src/consul/consul.js';
import { messageOf, SyncError } from '../src/errors.js';
import type { AclRole } from '../src/model/acl.js';
import type { ClassifiedKind } from '../src/model/actor.js';
import type { Mapping } from '../src/model/rule.js';
import { clientName, isOurs } from '../src/plan/acl/quote.js';
import { createPowers, powerText } from '../src/plan/acl/token-power.js';
import type { Hold } from '../src/plan/plan.js';
import type { ClientId } from '../src/plan/world.js';
import { isAclWanted } from '../src/reconcile/acl/acl-state.js';
import { type ClientLogin, clientLogin } from '../src/reconcile/client-logins.js';
import type { WorldState } from '../src/reconcile/world-state.js';

/** What an OAuth client may do with Consul by its own token, and how. */
export interface LoginView {
  readonly client: {
    readonly provider: string;
    readonly clientId: string;
    readonly actorKind: ClassifiedKind;
  };
  /** Undefined: it cannot log in. */
  readonly login: LoginTerms | undefined;
  /** Scopes that its kind may not use. */
  readonly limited: readonly string[];
  readonly holds: readonly Hold[];
}

export interface LoginTerms {
  readonly authMethod: string;
  /** Of the same name as the auth method. */
  readonly role: string;
  /** What the access token must be issued for. */
  readonly audiences: readonly string[];
  readonly maxTokenTtlSeconds: number;
  readonly serviceIdentities: readonly string[];
  readonly policies: readonly { readonly name: string; readonly rules: string }[];
  /** The same in few words. */
  readonly can: readonly string[];
}

/** As the plan wants it; whether Consul has it already is another question. */
export function toLoginView({ client, login }: ClientLogin): LoginView {
  const { provider, clientId } = client;
  const { desired, actorKind, limited, holds } = login;
  const [method] = desired.authMethods;
  const view = { client: { provider, clientId, actorKind }, limited, holds };
  if (method === undefined) return { ...view, login: undefined };
  const serviceIdentities = desired.roles.flatMap((role) => role.serviceIdentities);
  const stored = desired.policies.map((object) => ({
    id: object.name,
    object,
    isAltered: false,
    modifyIndex: 0,
  }));
  const powerOf = createPowers({ policies: stored, roles: [] });
  const links = {
    policies: desired.policies.map(({ name }) => name),
    roles: [],
    serviceIdentities,
    nodeIdentities: [],
    templatedPolicies: [],
  };
  return {
    ...view,
    login: {
      authMethod: method.name,
      role: desired.roles[0]?.name ?? method.name,
      audiences: method.config.boundAudiences,
      maxTokenTtlSeconds: method.maxTokenTtlSeconds,
      serviceIdentities,
      policies: desired.policies.map(({ name, rules }) => ({ name, rules })),
      can: powerText(powerOf(links)),
    },
  };
}

/** Of the daemon's world; undefined for a client that is not there. Throws while its directory was not read. */
export function readLogin(world: WorldState, id: ClientId, now: number): LoginView | undefined {
  if (!world.mapping.providers.includes(id.provider)) return undefined;
  if (!world.hasDirectory(id.provider)) {
    const message = `the directory of ${id.provider} has not been read yet`;
    throw new SyncError('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
  }
  const found = clientLogin(world, id, now);
  return found && toLoginView(found);
}

/** Whether the auth method stands in Consul and is ours: with its role where it is, `none`, or why that could not be read. */
export type Standing =
  | { readonly kind: 'stands'; readonly maxTokenTtlSeconds: number; readonly role: AclRole | undefined }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly why: string };

/** Reads nothing where the mapping gives nobody a token: no ACL permission is needed then. */
export async function readStanding(
  consul: Consul,
  mapping: Mapping,
  id: ClientId,
  signal: AbortSignal,
): Promise<Standing> {
  if (!isAclWanted(mapping)) return { kind: 'none' };
  const wanted = clientName(mapping.owner, id).toLowerCase();
  const isMeant = (name: string, description: string) =>
    name.toLowerCase() === wanted && isOurs(mapping.owner, name, description);
  try {
    const { authMethods, roles } = await consul.acl.read(isMeant, signal);
    const [method] = authMethods;
    if (method === undefined) return { kind: 'none' };
    return {
      kind: 'stands',
      maxTokenTtlSeconds: method.object.maxTokenTtlSeconds,
      role: roles[0]?.object,
    };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'unknown', why: messageOf(error) };
  }
}

/** What to type; the file holds the client's OAuth access token. */
export function loginCommand(authMethod: string): string {
  return `consul login -method=${authMethod} -bearer-token-file=ACCESS_TOKEN_FILE -token-sink-file=CONSUL_TOKEN_FILE`;
}
