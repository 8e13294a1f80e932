import { randomUUID } from 'node:crypto';
import { requireUuid, sameName } from '../acl/acl-links.js';
import { requireBindName } from '../acl/bind-name.js';
import { compileSelector } from '../acl/selector.js';
import { textIn } from '../body.js';
import { type ConsulFailure, quoted, serverFailure } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { int, string } from '../shape.js';
import type { AclBindingRuleRow } from '../state/rows.js';
import { methodNamed } from './acl-auth-methods.js';
import { type AclKind, aclRoutes, existing } from './acl-resource.js';

const table = 'acl-binding-rules';
const mismatch = 'BindingRule ID in URL and payload do not match';

const bindingRules: AclKind<typeof table> = {
  table,
  one: 'binding-rule',
  many: 'binding-rules',
  shape: [
    ...string('ID Description AuthMethod Selector BindType BindName'),
    ...int('CreateIndex ModifyIndex'),
  ],
  undecodable: 'BindingRule decoding failed',
  id: ['ID', 'BindingRule ID'],
  missingId: 'Missing binding rule ID',
  chosenId: mismatch,
  notFound: [404, ''],
  key: (row) => row.ID,
  find(call, id) {
    requireUuid(id, 'binding rule');
    return call.store.get(table, id);
  },
  list(call, rows) {
    const method = call.parameter('authmethod');
    return method === '' ? rows : rows.filter((row) => sameName(row.AuthMethod, method));
  },
  view: (_call, row) => row,
  async draft(call, body, id) {
    const current = existing(call, table, 'binding rule', id);
    const method = textIn(body, 'AuthMethod') || (current?.AuthMethod ?? '');
    if (current !== undefined && method !== current.AuthMethod)
      throw serverFailure('the AuthMethod field of an Binding Rule is immutable');
    const rule = {
      Description: textIn(body, 'Description'),
      AuthMethod: method,
      Selector: textIn(body, 'Selector'),
      BindType: textIn(body, 'BindType'),
      BindName: textIn(body, 'BindName'),
    };
    await requireRule(call.context, rule);
    const key = current?.ID ?? randomUUID();
    return {
      key,
      row(indexes, transaction) {
        // The method may have gone while its keys were fetched.
        if (transaction.get('acl-auth-methods', method.toLowerCase()) === undefined) throw missing(method);
        return { ID: key, ...rule, ...indexes };
      },
    };
  },
};

/** Deleting a rule keeps the tokens that it admitted. */
export const aclBindingRuleRoutes = aclRoutes(bindingRules);

async function requireRule(
  context: ServerContext,
  rule: Omit<AclBindingRuleRow, 'ID' | 'CreateIndex' | 'ModifyIndex'>,
): Promise<void> {
  if (rule.AuthMethod === '') throw invalid('no AuthMethod is set');
  const method = methodNamed(context, rule.AuthMethod);
  if (method === undefined) throw missing(rule.AuthMethod);
  const { claims } = await context.keys.configOf(method);
  if (rule.Selector !== '' && compileSelector(rule.Selector) === undefined)
    throw serverFailure('invalid Binding Rule: Selector is invalid: no match found');
  if (rule.BindType === '') throw invalid('no BindType is set');
  if (rule.BindName === '') throw invalid('no BindName is set');
  if (!['role', 'service', 'node'].includes(rule.BindType))
    throw invalid(`unknown BindType ${quoted(rule.BindType)}`);
  requireBindName(rule.BindName, rule.BindType, new Set(claims.values()));
}

function missing(method: string): ConsulFailure {
  return serverFailure(`cannot find auth method with name ${quoted(method)}`);
}

function invalid(why: string): ConsulFailure {
  return serverFailure(`Invalid Binding Rule: ${why}`);
}
