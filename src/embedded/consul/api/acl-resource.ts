import { isUuid, sameName } from '../acl/acl-links.js';
import type { Authorizer } from '../acl/authorizer.js';
import { textIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { badRequest, type ConsulReply, quoted, serverFailure } from '../exchange.js';
import type { Decoded, Shape } from '../shape.js';
import type { Indexed } from '../state/rows.js';
import type { WriteTransaction } from '../state/state-store.js';
import type { Tables } from '../state/tables.js';

type AclTable = 'acl-policies' | 'acl-roles' | 'acl-tokens' | 'acl-binding-rules' | 'acl-auth-methods';

/** An object that is ready to be stored but for its indexes. */
interface Draft<Row> {
  readonly key: string;
  /** Throws where the object may no longer be written. */
  row(indexes: Indexed, transaction: WriteTransaction): Row;
}

/** What distinguishes one kind of ACL object from the others. All texts are Consul's. */
export interface AclKind<Table extends AclTable> {
  readonly table: Table;
  /** The last part of `/v1/acl/<one>` and `/v1/acl/<many>`. */
  readonly one: string;
  readonly many: string;
  readonly shape: Shape;
  /** The error for a body that cannot be read: `Policy decoding failed`. */
  readonly undecodable: string;
  /** The field that identifies an object, and its name in error texts: `Policy ID`. */
  readonly id: readonly [field: string, title: string];
  /** The error for a path without an ID. */
  readonly missingId: string;
  /** The error for an ID in the body of a new object; absent where the client may choose one. */
  readonly chosenId?: string;
  /** Whether `/v1/acl/<one>/name/<name>` is served: the noun of `Missing <noun> Name`. */
  readonly readByName?: string;
  /** Status and text where there is no such object. */
  readonly notFound: readonly [status: number, text: string];
  key(row: Tables[Table]): string;
  /** Throws where `id` is malformed. */
  find(call: Call, id: string): Tables[Table] | undefined;
  list(call: Call, rows: Tables[Table][], authorizer: Authorizer): readonly unknown[];
  view(call: Call, row: Tables[Table], authorizer: Authorizer): unknown;
  /** Refuses bodies that the shape alone accepts. */
  vetBody?(raw: unknown): void;
  /**
   * Checks the object before it is written; `id` is empty for a new one. Returns a promise only where keys have to be
   * fetched: otherwise no other write comes between the checks and this one.
   */
  draft(call: Call, body: Decoded, id: string): Draft<Tables[Table]> | Promise<Draft<Tables[Table]>>;
  /** Throws where the object may not be deleted. */
  requireDeletable?(id: string, authorizer: Authorizer): void;
  /** Removes the objects that go with it. */
  cascade?(transaction: WriteTransaction, id: string): void;
}

/** The routes by which objects of a kind are listed, created, read, updated and deleted. */
export function aclRoutes<Table extends AclTable>(kind: AclKind<Table>): readonly Route[] {
  const path = `/v1/acl/${kind.one}`;
  const byName: Route = { path: `${path}/name/`, methods: { GET: (call) => readByName(kind, call) } };
  return [
    { path: `/v1/acl/${kind.many}`, methods: { GET: (call) => listObjects(kind, call) } },
    { path, methods: { PUT: (call) => writeObject(kind, call) } },
    ...(kind.readByName === undefined ? [] : [byName]),
    {
      path: `${path}/`,
      methods: {
        GET: (call) => readById(kind, call),
        PUT: (call) => writeObject(kind, call),
        DELETE: (call) => deleteObject(kind, call),
      },
    },
  ];
}

function listObjects<Table extends AclTable>(kind: AclKind<Table>, call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  authorizer.require('acl', 'read');
  return call.answer((watch) => {
    watch.table(kind.table);
    const value = kind.list(call, call.store.list(kind.table), authorizer);
    return { index: call.store.indexOf(kind.table), value };
  });
}

function readById<Table extends AclTable>(kind: AclKind<Table>, call: Call): Promise<ConsulReply> {
  if (call.rest === '') throw badRequest(kind.missingId);
  return readObject(kind, call, () => kind.find(call, call.rest));
}

function readByName<Table extends AclTable>(kind: AclKind<Table>, call: Call): Promise<ConsulReply> {
  if (call.rest === '') throw badRequest(`Missing ${kind.readByName} Name`);
  return readObject(kind, call, () => {
    return call.store.list(kind.table).find((row) => 'Name' in row && sameName(row.Name, call.rest));
  });
}

function readObject<Table extends AclTable>(
  kind: AclKind<Table>,
  call: Call,
  find: () => Tables[Table] | undefined,
): Promise<ConsulReply> {
  const authorizer = call.authorize();
  authorizer.require('acl', 'read');
  return call.answerOr(
    (watch) => {
      const row = find();
      watch.lookup(kind.table, row === undefined ? '' : kind.key(row), row);
      const value = row === undefined ? undefined : kind.view(call, row, authorizer);
      return { index: call.store.indexOf(kind.table), value, absent: row === undefined };
    },
    ...kind.notFound,
  );
}

function writeObject<Table extends AclTable>(
  kind: AclKind<Table>,
  call: Call,
): ConsulReply | Promise<ConsulReply> {
  const body = call.body(kind.shape, kind.undecodable, kind.vetBody);
  const [field, title] = kind.id;
  const given = textIn(body, field);
  if (given !== '' && call.rest === '' && kind.chosenId !== undefined) throw badRequest(kind.chosenId);
  if (given !== '' && call.rest !== '' && given !== call.rest)
    throw badRequest(`${title} in URL and payload do not match`);
  const authorizer = call.authorize();
  authorizer.require('acl', 'write');
  const store = (draft: Draft<Tables[Table]>) => {
    const row = call.store.write((transaction) => {
      const written = draft.row(transaction.stamp(kind.table, draft.key), transaction);
      transaction.put(kind.table, draft.key, written);
      return written;
    });
    return call.json(kind.view(call, row, authorizer));
  };
  const draft = kind.draft(call, body, call.rest);
  return draft instanceof Promise ? draft.then(store) : store(draft);
}

/** Deleting a missing object succeeds. */
function deleteObject<Table extends AclTable>(kind: AclKind<Table>, call: Call): ConsulReply {
  const id = call.rest;
  if (id === '') throw badRequest(kind.missingId);
  const authorizer = call.authorize();
  authorizer.require('acl', 'write');
  kind.requireDeletable?.(id, authorizer);
  const row = kind.find(call, id);
  if (row === undefined) return call.json(true);
  call.store.write((transaction) => {
    transaction.remove(kind.table, kind.key(row));
    kind.cascade?.(transaction, id);
  });
  return call.json(true);
}

/** The object to update, by ID; undefined where one is created. Throws where it does not exist. */
export function existing<Table extends AclTable>(
  call: Call,
  table: Table,
  noun: string,
  id: string,
): Tables[Table] | undefined {
  if (id === '') return undefined;
  if (!isUuid(id)) {
    const title = noun.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
    throw serverFailure(`${title} ID invalid UUID`);
  }
  const row = call.store.get(table, id);
  if (row === undefined) throw serverFailure(`cannot find ${noun} ${id}`);
  return row;
}

/** Throws where another policy or role has the name. */
export function requireFreeName(
  call: Call,
  table: 'acl-policies' | 'acl-roles',
  noun: 'policy' | 'role',
  name: string,
  current: { readonly Name: string } | undefined,
): void {
  if (current?.Name === name || !call.store.list(table).some((row) => sameName(row.Name, name))) return;
  const title = noun === 'policy' ? 'Policy' : 'Role';
  throw serverFailure(
    current === undefined
      ? `Invalid ${title}: A ${title} with Name ${quoted(name)} already exists`
      : `Invalid ${title}: A ${noun} with name ${quoted(name)} already exists`,
  );
}
