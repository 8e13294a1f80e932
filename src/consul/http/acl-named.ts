import { mapBounded } from '../../map-bounded.js';
import type { AclSnapshot } from '../../model/acl.js';
import { createReader, incomplete } from '../reader.js';
import { parseAuthMethod, parsePolicy, parseRole } from './acl-parse.js';
import { listRulesOf, requireConsul, requireNoPolicy } from './acl-table.js';
import { parseJson } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

/** Concurrent single reads: as many as a client has objects. */
const WIDTH = 8;

/** The path of one object by its name, in any case. */
const BY_NAME = {
  'acl-policy': '/v1/acl/policy/name/',
  'acl-role': '/v1/acl/role/name/',
  'acl-auth-method': '/v1/acl/auth-method/',
} as const;

/** The objects with these names: a role, an auth method of type jwt and its rules for each; and these policies. */
export async function readNamed(
  transport: Transport,
  guard: IndexGuard,
  names: readonly string[],
  policies: readonly string[],
  signal: AbortSignal,
): Promise<AclSnapshot> {
  const asked = [
    ...names.flatMap((name) =>
      (['acl-role', 'acl-auth-method', 'acl-binding-rule'] as const).map((kind) => ({ kind, name })),
    ),
    ...policies.map((name) => ({ kind: 'acl-policy' as const, name })),
  ];
  const unclear: string[] = [];
  const found = await mapBounded(
    asked,
    { width: WIDTH, signal },
    async ({ kind, name }, stop): Promise<AclSnapshot> => {
      if (kind === 'acl-binding-rule')
        return { ...NOTHING, bindingRules: await listRulesOf(transport, name, stop) };
      const value = await readByName(transport, kind, name, stop);
      if (value === 'unclear') unclear.push(name);
      if (value === undefined || value === 'unclear') return NOTHING;
      if (kind === 'acl-policy') return { ...NOTHING, policies: [parsePolicy(value, 'acl.read')] };
      if (kind === 'acl-role') return { ...NOTHING, roles: [parseRole(value, 'acl.read')] };
      const isJwt = createReader('acl.read').record(value).Type === 'jwt';
      return isJwt ? { ...NOTHING, authMethods: [parseAuthMethod(value, 'acl.read')] } : NOTHING;
    },
  );
  if (unclear.length > 0) await requireNoPolicy('Name', unclear, transport, guard, signal);
  return {
    policies: found.flatMap((each) => each.policies),
    roles: found.flatMap((each) => each.roles),
    authMethods: found.flatMap((each) => each.authMethods),
    bindingRules: found.flatMap((each) => each.bindingRules),
  };
}

const NOTHING: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };

/** As `readAcl`: undefined if the object does not exist, and 'unclear' for a policy that may be missing. */
async function readByName(
  transport: Transport,
  kind: keyof typeof BY_NAME,
  name: string,
  signal: AbortSignal,
): Promise<unknown> {
  const operation = 'acl.read';
  const path = BY_NAME[kind] + encodeURIComponent(name);
  const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
  const request = { operation, method: 'GET', path, query } as const;
  const answer = await transport.send(request, signal, kind === 'acl-policy' ? [200, 403, 404] : [200, 404]);
  if (answer.status === 404) {
    requireConsul(answer, operation);
    return undefined;
  }
  if (answer.status === 403) {
    const isUnclear = /acl not found/i.test(new TextDecoder().decode(answer.body.subarray(0, 100)));
    // Otherwise send it again, to throw the usual error.
    return isUnclear ? 'unclear' : parseJson((await transport.send(request, signal)).body, operation);
  }
  const value = parseJson(answer.body, operation);
  const answeredName = createReader(operation).text(createReader(operation).record(value).Name);
  if (answeredName.toLowerCase() !== name.toLowerCase())
    throw incomplete(operation, 'answered with an object of another name');
  return value;
}
