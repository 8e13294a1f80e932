import { randomUUID } from 'node:crypto';
import { byName, requireUuid } from '../acl/acl-links.js';
import { globalManagementPolicyId } from '../acl/acl-resolver.js';
import { contentHash } from '../acl/content-hash.js';
import { parseAclRules } from '../acl/rules.js';
import { textIn, textsIn, withoutEmpty } from '../body.js';
import { serverFailure } from '../exchange.js';
import { int, string, strings } from '../shape.js';
import { type AclKind, aclRoutes, existing, requireFreeName } from './acl-resource.js';

const table = 'acl-policies';

const policies: AclKind<typeof table> = {
  table,
  one: 'policy',
  many: 'policies',
  shape: [
    ...string('ID Name Description Rules'),
    ...strings('Datacenters'),
    ...string('Hash'),
    ...int('CreateIndex ModifyIndex'),
  ],
  undecodable: 'Policy decoding failed',
  id: ['ID', 'Policy ID'],
  missingId: 'Missing policy ID',
  chosenId: 'Cannot specify the ID when creating a new policy',
  readByName: 'policy',
  // Unlike a role, a missing policy reads as an unknown token does.
  notFound: [403, 'ACL not found'],
  key: (row) => row.ID,
  find(call, id) {
    requireUuid(id, 'policy');
    return call.store.get(table, id);
  },
  // Lists leave out the rules.
  list: (_call, rows) =>
    rows.sort(byName).map(({ Rules: _, ...row }) => ({ ...row, Datacenters: row.Datacenters ?? null })),
  view: (_call, row) => row,
  draft(call, body, id) {
    const [name, description, rules] = [
      textIn(body, 'Name'),
      textIn(body, 'Description'),
      textIn(body, 'Rules'),
    ];
    requirePolicyName(name);
    const current = existing(call, table, 'policy', id);
    requireFreeName(call, table, 'policy', name, current);
    if (current?.ID === globalManagementPolicyId && rules !== current.Rules) {
      throw serverFailure('Changing the Rules for the builtin global-management policy is not permitted');
    }
    requireRules(rules);
    const datacenters = textsIn(body, 'Datacenters');
    const key = current?.ID ?? randomUUID();
    const row = {
      ID: key,
      Name: name,
      Description: description,
      Rules: rules,
      ...withoutEmpty({ Datacenters: datacenters ?? [] }),
      Hash: contentHash(name, description, rules, datacenters),
    };
    return { key, row: (indexes) => ({ ...row, ...indexes }) };
  },
  requireDeletable(id) {
    if (id === globalManagementPolicyId)
      throw serverFailure('Delete operation not permitted on the builtin global-management policy');
  },
};

export const aclPolicyRoutes = aclRoutes(policies);

function requirePolicyName(name: string): void {
  const invalid = (why: string) => serverFailure(`Invalid Policy: ${why}`);
  if (name === '') throw invalid('no Name is set');
  if (name.length > 128) throw invalid('invalid Name. Length must be less than 128 characters');
  if (name.startsWith('builtin/')) throw invalid("invalid Name. Names cannot be prefixed with 'builtin/'");
  if (!/^[A-Za-z0-9\-_]+(\/[A-Za-z0-9\-_]*)?$/.test(name))
    throw invalid("invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed");
}

function requireRules(rules: string): void {
  try {
    parseAclRules(rules);
  } catch (error) {
    throw serverFailure(error instanceof Error ? error.message : 'Failed to parse ACL rules');
  }
}
