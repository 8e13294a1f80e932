import { randomUUID } from 'node:crypto';
import { byName, currentLinks, grantFields, grantsIn, requireUuid } from '../acl/acl-links.js';
import { contentHash } from '../acl/content-hash.js';
import { textIn, withoutEmpty } from '../body.js';
import { serverFailure } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { int, string } from '../shape.js';
import type { AclRoleRow } from '../state/rows.js';
import { type AclKind, aclRoutes, existing, requireFreeName } from './acl-resource.js';

const table = 'acl-roles';

const roles: AclKind<typeof table> = {
  table,
  one: 'role',
  many: 'roles',
  shape: [
    ...string('ID Name Description'),
    ...grantFields,
    ...string('Hash'),
    ...int('CreateIndex ModifyIndex'),
  ],
  undecodable: 'Role decoding failed',
  id: ['ID', 'Role ID'],
  missingId: 'Missing role ID',
  chosenId: 'Cannot specify the ID when creating a new role',
  readByName: 'role',
  notFound: [404, ''],
  key: (row) => row.ID,
  find(call, id) {
    requireUuid(id, 'role');
    return call.store.get(table, id);
  },
  list: (call, rows) => rows.sort(byName).map((row) => roleView(call.context, row)),
  view: (call, row) => roleView(call.context, row),
  draft(call, body, id) {
    const [name, description] = [textIn(body, 'Name'), textIn(body, 'Description')];
    if (name === '') throw serverFailure('Invalid Role: no Name is set');
    if (!/^[A-Za-z0-9\-_]{1,256}$/.test(name)) {
      throw serverFailure(
        "Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed",
      );
    }
    const current = existing(call, table, 'role', id);
    requireFreeName(call, table, 'role', name, current);
    const grants = grantsIn(call.store, body, 'role');
    const key = current?.ID ?? randomUUID();
    const row = {
      ID: key,
      Name: name,
      Description: description,
      ...withoutEmpty(grants),
      Hash: contentHash(name, description, grants),
    };
    return { key, row: (indexes) => ({ ...row, ...indexes }) };
  },
};

export const aclRoleRoutes = aclRoutes(roles);

function roleView({ store }: ServerContext, { Policies: policies, ...row }: AclRoleRow): AclRoleRow {
  return { ...row, ...withoutEmpty({ Policies: currentLinks(store, 'acl-policies', policies) }) };
}
