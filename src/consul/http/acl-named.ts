import { mapBounded } from '../../limiter.js';
import type { AclSnapshot } from '../../model/acl.js';
import { incomplete, Reader } from '../reader.js';
import { parseAuthMethod, parsePolicy, parseRole, parseStored } from './acl-parse.js';
import { listRulesOf, readAclAt, requireNoPolicy, UNCLEAR } from './acl-table.js';
import type { IndexGuard } from './index-guard.js';
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
      if (value === UNCLEAR) unclear.push(name);
      if (value === undefined || value === UNCLEAR) return NOTHING;
      if (kind === 'acl-policy')
        return { ...NOTHING, policies: [parseStored(parsePolicy, value, 'acl.read')] };
      if (kind === 'acl-role') return { ...NOTHING, roles: [parseStored(parseRole, value, 'acl.read')] };
      if (value.raw.Type !== 'jwt') return NOTHING;
      return { ...NOTHING, authMethods: [parseStored(parseAuthMethod, value, 'acl.read')] };
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

/** As `readAclAt`. */
async function readByName(
  transport: Transport,
  kind: keyof typeof BY_NAME,
  name: string,
  signal: AbortSignal,
): ReturnType<typeof readAclAt> {
  const value = await readAclAt(transport, kind, BY_NAME[kind] + encodeURIComponent(name), signal);
  if (value === undefined || value === UNCLEAR) return value;
  const reader = new Reader('acl.read');
  if (reader.text(value.raw.Name).toLowerCase() !== name.toLowerCase())
    throw incomplete('acl.read', 'answered with an object of another name');
  return value;
}
