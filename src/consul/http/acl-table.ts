import type { HttpAnswer } from '../../http-exchange.js';
import type { AclBindingRule, AclObject, Stored } from '../../model/acl.js';
import { incomplete, Reader } from '../reader.js';
import { parseBindingRule, parseStored } from './acl-parse.js';
import { type Listed, readListed, splitting, toListed } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import type { JsonElement } from './json-elements.js';
import { toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

export type AclKind = AclObject['kind'];

/** The paths of each kind: all objects at `list`, one object at `one/<id>`. */
export const ACL_TABLES = {
  'acl-policy': { operation: 'acl.policies', list: '/v1/acl/policies', one: '/v1/acl/policy' },
  'acl-role': { operation: 'acl.roles', list: '/v1/acl/roles', one: '/v1/acl/role' },
  'acl-auth-method': {
    operation: 'acl.auth-methods',
    list: '/v1/acl/auth-methods',
    one: '/v1/acl/auth-method',
  },
  'acl-binding-rule': {
    operation: 'acl.binding-rules',
    list: '/v1/acl/binding-rules',
    one: '/v1/acl/binding-rule',
  },
} as const satisfies Record<AclKind, { operation: Operation; list: string; one: string }>;

/** A complete list of a kind. Throws as `readListed`, and ERR_CONSUL_INCOMPLETE if the index went back. */
export async function listAcl(
  transport: Transport,
  kind: AclKind,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<readonly Listed[]> {
  const { operation, list: path } = ACL_TABLES[kind];
  const floor = guard.highest(operation);
  const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
  const { index, list } = await readListed(transport, { operation, path, query }, signal);
  guard.check(operation, index, floor);
  return list;
}

/** A policy that may be missing: Consul answers the same for a missing policy and for an unknown ACL token. */
export const UNCLEAR = 'unclear';

/** One object by its ID, as `readAclAt`. */
export function readAcl(
  transport: Transport,
  kind: AclKind,
  id: string,
  signal: AbortSignal,
): Promise<Listed | typeof UNCLEAR | undefined> {
  return readAclAt(transport, kind, `${ACL_TABLES[kind].one}/${encodeURIComponent(id)}`, signal);
}

/** One object by a single read; undefined if Consul answers that it does not exist, or UNCLEAR. */
export async function readAclAt(
  transport: Transport,
  kind: AclKind,
  path: string,
  signal: AbortSignal,
): Promise<Listed | typeof UNCLEAR | undefined> {
  const operation = 'acl.read';
  const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
  const expected = kind === 'acl-policy' ? [200, 403, 404] : [200, 404];
  const found: Listed[] = [];
  const each = (element: JsonElement) => found.push(toListed(element, operation));
  const { sink, finish } = splitting(transport, operation, { form: 'value', each });
  const request = { operation, method: 'GET', path, query, sink } as const;
  const answer = await transport.send(request, signal, expected);
  if (answer.status === 200) {
    finish(answer);
    const [only] = found;
    if (only === undefined) throw incomplete(operation, 'the answer is not valid JSON');
    return only;
  }
  if (answer.status === 404) {
    requireConsul(answer, operation);
    return undefined;
  }
  if (/acl not found/i.test(new TextDecoder().decode(answer.body.subarray(0, 100)))) return UNCLEAR;
  // Send it again, to throw the usual error.
  await transport.send(request, signal);
  throw incomplete(operation, 'Consul refused a read and then allowed it');
}

/** Throws unless the 404 comes from Consul: the 404 of a proxy must not count as absence. */
export function requireConsul(answer: HttpAnswer, operation: Operation): void {
  if (answer.headers['x-consul-default-acl-policy'] === undefined)
    throw incomplete(
      operation,
      'answered 404, but not as Consul does; check that consul.address points to Consul',
    );
}

/**
 * Consul 1.15 and newer answer 404 to a DELETE of what does not exist, and also to an ACL token that they do not know, so that
 * nothing was deleted. Throws ERR_CONSUL_DENIED in the second case.
 */
export async function requireGone(
  answer: HttpAnswer,
  operation: Operation,
  transport: Transport,
  signal: AbortSignal,
): Promise<void> {
  requireConsul(answer, operation);
  const query = toTenancyQuery(transport.tenancy);
  await transport.send({ operation: 'acl.read', method: 'GET', path: '/v1/acl/token/self', query }, signal);
}

/** The binding rules of one auth method. */
export async function listRulesOf(
  transport: Transport,
  authMethod: string,
  signal: AbortSignal,
): Promise<readonly Stored<AclBindingRule>[]> {
  const { operation, list: path } = ACL_TABLES['acl-binding-rule'];
  const query = { ...toTenancyQuery(transport.tenancy), authmethod: authMethod, consistent: '' };
  const { list } = await readListed(transport, { operation, path, query }, signal);
  const rules = list.map((each) => parseStored(parseBindingRule, each, operation));
  if (!rules.every(({ object }) => object.authMethod.toLowerCase() === authMethod.toLowerCase()))
    throw incomplete(operation, 'the list contains rules that do not match the filter');
  return rules;
}

/**
 * For reads that were UNCLEAR: throws ERR_CONSUL_INCOMPLETE where the list of policies has one of them, so that
 * it exists and could not be read.
 */
export async function requireNoPolicy(
  key: 'ID' | 'Name',
  values: readonly string[],
  transport: Transport,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<void> {
  const rows = await listAcl(transport, 'acl-policy', guard, signal);
  const reader = new Reader('acl.policies');
  const listed = new Set(rows.map(({ raw }) => reader.text(raw[key]).toLowerCase()));
  if (values.some((value) => listed.has(value.toLowerCase())))
    throw incomplete('acl.read', 'a policy is in the list but cannot be read');
}
