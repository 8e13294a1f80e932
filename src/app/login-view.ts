import { type Proof, proofOf } from '../acl/plan/desired-client.js';
import { createPowers, powerText } from '../acl/plan/token-power.js';
import { type ClientLogin, clientLogin } from '../acl/state/client-logins.js';
import { SyncError } from '../errors.js';
import type { ClassifiedKind } from '../model/actor.js';
import type { Mapping } from '../model/rule.js';
import type { Hold } from '../plan/plan.js';
import type { ClientBlock, ClientId } from '../plan/world.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { holdView } from './plan-view.js';
import { clientClaims, type TokenClaim } from './token-claims.js';

/** What an OAuth client may do with Consul by its own token. */
export interface LoginView {
  readonly client: {
    readonly provider: string;
    readonly clientId: string;
    readonly actorKind: ClassifiedKind;
  };
  /** Why the client gets no access, whatever its scopes; undefined if it may get access. */
  readonly barred: 'disabled' | ClientBlock | undefined;
  /** Undefined: it cannot log in. */
  readonly login: LoginTerms | undefined;
  /** Scopes that its actor kind may not use. */
  readonly limited: readonly string[];
  readonly holds: readonly Hold[];
  /** The lifetime in the present auth method in Consul; undefined without an auth method. */
  readonly standingTtlSeconds: number | undefined;
}

export interface LoginTerms {
  readonly authMethod: string;
  /** The role has the name of the auth method. */
  readonly role: string;
  /** The access token must have one of these audiences. */
  readonly audiences: readonly string[];
  readonly maxTokenTtlSeconds: number;
  readonly proof: Proof;
  /** What the access token must have. */
  readonly tokenClaims: readonly TokenClaim[];
  readonly serviceIdentities: readonly string[];
  /** Those of them as which no instance is registered: the client alone names them. */
  readonly unregisteredServices: readonly string[];
  readonly policies: readonly { readonly name: string; readonly rules: string }[];
  /** A summary of the permissions. */
  readonly can: readonly string[];
}

/** The planned login, beside the present one. */
export function toLoginView(
  { client, login, clientBlock, standingTtlSeconds }: ClientLogin,
  { acl }: Pick<Mapping, 'acl'>,
): LoginView {
  const { provider, clientId } = client;
  const { desired, actorKind, limited, namedServices, holds } = login;
  const [method] = desired.authMethods;
  const barred: LoginView['barred'] = client.enabled ? clientBlock : 'disabled';
  const view = { client: { provider, clientId, actorKind }, barred, limited, holds, standingTtlSeconds };
  if (method === undefined) return { ...view, login: undefined };
  const proof = proofOf(method);
  const loginProvider = acl.providers.get(provider);
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
      proof,
      tokenClaims: loginProvider === undefined ? [] : clientClaims(loginProvider, clientId, actorKind, proof),
      serviceIdentities,
      unregisteredServices: namedServices,
      policies: desired.policies.map(({ name, rules }) => ({ name, rules })),
      can: powerText(powerOf(links)),
    },
  };
}

/** The login as the daemon knows it; undefined for an unknown client. Throws before its directory was read. */
export function readLogin(
  known: Pick<ReconcilerDeps, 'world' | 'acl'>,
  id: ClientId,
  now: number,
): LoginView | undefined {
  const { world } = known;
  if (!world.mapping.providers.includes(id.provider)) return undefined;
  if (!world.hasDirectory(id.provider)) {
    const message = `the directory of ${id.provider} has not been read yet`;
    throw new SyncError('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
  }
  const found = clientLogin(known, id, now);
  return found && toLoginView(found, world.mapping);
}

/** The command to log in with. The file holds the OAuth access token. */
export function loginCommand(authMethod: string): string {
  return `consul login -method=${authMethod} -bearer-token-file=ACCESS_TOKEN_FILE -token-sink-file=CONSUL_TOKEN_FILE`;
}

/** The login as JSON. */
export function loginDocument({ client, barred, login, limited, holds, standingTtlSeconds }: LoginView) {
  return {
    client,
    barred: barred ?? null,
    /** True only if Consul has the auth method already; `login` also shows one that is only planned. */
    mayLogIn: login !== undefined && standingTtlSeconds !== undefined,
    isMade: standingTtlSeconds !== undefined,
    login: login === undefined ? null : { ...login, command: loginCommand(login.authMethod) },
    standingTtlSeconds: standingTtlSeconds ?? null,
    limited,
    holds: holds.map(holdView),
  };
}
