import { randomUUID } from 'node:crypto';
import { compareText } from '../../../model/compare-text.js';
import { parseGoDuration } from '../../../model/go-duration.js';
import { sameName } from '../acl/acl-links.js';
import { secretOf } from '../acl/acl-resolver.js';
import { computeBindName } from '../acl/bind-name.js';
import { contentHash } from '../acl/content-hash.js';
import { compileSelector } from '../acl/selector.js';
import { type Identity, identityOf, requireValid } from '../acl/verified-claims.js';
import { requireMapField, textIn, textMapIn, withoutEmpty } from '../body.js';
import type { Call, Route } from '../call.js';
import { ConsulFailure, type ConsulReply, goJson, quoted } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { string, stringMap } from '../shape.js';
import type { AclAuthMethodRow, AclTokenRow } from '../state/rows.js';
import { methodNamed } from './acl-auth-methods.js';
import { tokenView } from './acl-tokens.js';

export const aclLoginRoutes: readonly Route[] = [
  { path: '/v1/acl/login', methods: { POST: logIn } },
  { path: '/v1/acl/logout', methods: { POST: logOut } },
];

const decoding = 'Failed to decode request body';
const loginShape = [...string('AuthMethod BearerToken'), ...stringMap('Meta')];

type Grants = Pick<AclTokenRow, 'Roles' | 'ServiceIdentities' | 'NodeIdentities'>;

/** A token for every login that a rule of the method admits. The caller's own ACL token does not matter. */
async function logIn(call: Call): Promise<ConsulReply> {
  const { context } = call;
  const body = call.body(loginShape, decoding, (raw) =>
    requireMapField(raw, 'Meta', 'ACLLoginParams.Meta', 'map[string]string', decoding),
  );
  const method = requireMethod(context, textIn(body, 'AuthMethod'));
  const claims = await context.keys.verify(method, textIn(body, 'BearerToken'), context.clock.now());
  const config = await context.keys.configOf(method);
  requireValid(claims, config, context.clock.now());
  const identity = identityOf(claims, config);
  // The method may have gone while its keys were fetched, and its tokens with it.
  const current = requireMethod(context, method.Name);
  const grants = grantsOf(context, current, identity, new Set(config.claims.values()));
  const meta = Object.entries(textMapIn(body, 'Meta') ?? {}).sort(([a], [b]) => compareText(a, b));
  const about = meta.length === 0 ? '' : `: ${goJson(Object.fromEntries(meta))}`;
  const aclToken = issue(context, current, `token created via login${about}`, grants);
  return call.json(tokenView(context, aclToken, true));
}

function grantsOf(
  context: ServerContext,
  method: AclAuthMethodRow,
  identity: Identity,
  known: ReadonlySet<string>,
): Grants {
  const roles = new Map<string, { readonly ID: string; readonly Name: string }>();
  const services = new Set<string>();
  const nodes = new Set<string>();
  const rules = context.store
    .list('acl-binding-rules')
    .filter((rule) => sameName(rule.AuthMethod, method.Name));
  for (const rule of rules) {
    const admits = rule.Selector === '' ? () => true : compileSelector(rule.Selector);
    if (admits === undefined || !admits(identity)) continue;
    const name = computeBindName(rule.BindName, rule.BindType, identity.value, known);
    if (rule.BindType === 'service') services.add(name);
    else if (rule.BindType === 'node') nodes.add(name);
    else {
      const role = context.store.list('acl-roles').find((row) => sameName(row.Name, name));
      if (role !== undefined) roles.set(role.ID, { ID: role.ID, Name: role.Name });
    }
  }
  if (roles.size + services.size + nodes.size === 0) throw new ConsulFailure(403, 'Permission denied');
  return withoutEmpty({
    Roles: [...roles.values()],
    ServiceIdentities: [...services].map((ServiceName) => ({ ServiceName })),
    NodeIdentities: [...nodes].map((NodeName) => ({ NodeName, Datacenter: context.datacenter })),
  });
}

function issue(
  context: ServerContext,
  method: AclAuthMethodRow,
  description: string,
  grants: Grants,
): AclTokenRow {
  const created = context.clock.now();
  const ttlNs = parseGoDuration(method.MaxTokenTTL ?? '') ?? 0;
  return context.store.write((transaction) => {
    const id = randomUUID();
    const aclToken: AclTokenRow = {
      AccessorID: id,
      SecretID: randomUUID(),
      Description: description,
      ...grants,
      Local: method.TokenLocality !== 'global',
      AuthMethod: method.Name,
      ...(ttlNs === 0 ? {} : { ExpirationTime: new Date(created + ttlNs / 1e6).toISOString() }),
      CreateTime: new Date(created).toISOString(),
      Hash: contentHash(description, grants),
      ...transaction.stamp('acl-tokens', id),
    };
    transaction.put('acl-tokens', aclToken.AccessorID, aclToken);
    return aclToken;
  });
}

function logOut(call: Call): ConsulReply {
  if (secretOf(call.request) === '') throw new ConsulFailure(403, 'ACL not found');
  const aclToken = call.context.acl.tokenOf(call.request);
  if (aclToken.AuthMethod === undefined)
    throw new ConsulFailure(403, "Permission denied: token wasn't created via login");
  call.store.write((transaction) => {
    transaction.remove('acl-tokens', aclToken.AccessorID);
  });
  return call.json(true);
}

function requireMethod(context: ServerContext, name: string): AclAuthMethodRow {
  const method = methodNamed(context, name);
  if (method === undefined)
    throw new ConsulFailure(403, `ACL not found: auth method ${quoted(name)} not found`);
  return method;
}
