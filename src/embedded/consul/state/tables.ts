import type {
  AclAuthMethodRow,
  AclBindingRuleRow,
  AclPolicyRow,
  AclRoleRow,
  AclTokenRow,
  ConfigEntryRow,
  KvRow,
  NodeRow,
  ServiceRow,
  SessionRow,
  TombstoneRow,
} from './rows.js';

/** The row of each table. */
export interface Tables {
  'config-entries': ConfigEntryRow;
  kvs: KvRow;
  tombstones: TombstoneRow;
  nodes: NodeRow;
  services: ServiceRow;
  sessions: SessionRow;
  'acl-tokens': AclTokenRow;
  'acl-policies': AclPolicyRow;
  'acl-roles': AclRoleRow;
  /** By name in lower case. */
  'acl-auth-methods': AclAuthMethodRow;
  'acl-binding-rules': AclBindingRuleRow;
  /** Facts of the cluster itself, such as the management secret. */
  facts: { readonly value: string };
}

export type TableName = keyof Tables;

type TableSet = { readonly [Name in TableName]: Table<Tables[Name]> };

/** Every table, empty. */
export function createTables(): TableSet {
  return {
    'config-entries': new Table(),
    kvs: new Table(),
    tombstones: new Table(),
    nodes: new Table(),
    services: new Table(),
    sessions: new Table(),
    'acl-tokens': new Table(),
    'acl-policies': new Table(),
    'acl-roles': new Table(),
    'acl-auth-methods': new Table(),
    'acl-binding-rules': new Table(),
    facts: new Table(),
  };
}

/** Rows of one kind under string keys, listed in byte order of the key as a radix tree would. */
export class Table<Row> {
  readonly #rows = new Map<string, Row>();
  #sorted: string[] | undefined;

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** Rows whose key starts with `prefix`, in key order. */
  list(prefix = ''): Row[] {
    this.#sorted ??= [...this.#rows.keys()].sort();
    const keys = prefix === '' ? this.#sorted : this.#sorted.filter((key) => key.startsWith(prefix));
    return keys.flatMap((key) => this.#rows.get(key) ?? []);
  }

  /** Puts the row, or removes it where undefined; returns the one before. */
  set(key: string, row: Row | undefined): Row | undefined {
    const before = this.#rows.get(key);
    if ((before === undefined) !== (row === undefined)) this.#sorted = undefined;
    if (row === undefined) this.#rows.delete(key);
    else this.#rows.set(key, row);
    return before;
  }
}
