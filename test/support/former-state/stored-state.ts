import { Redis } from 'ioredis';
import Database from 'libsql';
import type { ConsulHandle } from '../../stack/consul.js';

/** One key of Redis with all that it holds. */
export interface StoredKey {
  readonly name: string;
  readonly type: string;
  /** Of a hash and a sorted set: names and values in turn. */
  readonly values: readonly string[];
  /** Milliseconds that it still had; absent if it lasts. */
  readonly lifeMs?: number;
}

/** What a daemon left: its Consul, and either its files or its Redis. */
export interface StoredState {
  readonly release: string;
  readonly entries: readonly object[];
  /** Keys and values of KV, the values in base64. */
  readonly keyValues: readonly { readonly Key: string; readonly Value: string }[];
  /** Statements that make each file again. */
  readonly files?: Readonly<Record<string, readonly string[]>>;
  readonly publicKey?: string;
  readonly redis?: readonly StoredKey[];
}

const KINDS = ['proxy-defaults', 'service-defaults', 'service-intentions'];

export async function dumpConsul(consul: ConsulHandle): Promise<Pick<StoredState, 'entries' | 'keyValues'>> {
  const lists = await Promise.all(KINDS.map((kind) => consul.request('GET', `/v1/config/${kind}`)));
  const stored = await consul.request('GET', '/v1/kv/scopemesh/?recurse').catch(() => []);
  return {
    entries: lists.flatMap(listOf).map((entry) => without(entry, ['CreateIndex', 'ModifyIndex', 'Hash'])),
    keyValues: listOf(stored).map(({ Key, Value }) => ({ Key: String(Key), Value: String(Value) })),
  };
}

export async function restoreConsul(consul: ConsulHandle, state: StoredState): Promise<void> {
  for (const entry of state.entries) await consul.request('PUT', '/v1/config', entry);
  for (const { Key, Value } of state.keyValues) {
    const { status } = await fetch(`${consul.httpAddress}/v1/kv/${Key}`, {
      method: 'PUT',
      headers: { 'x-consul-token': consul.managementToken },
      body: Buffer.from(Value, 'base64'),
    });
    if (status !== 200) throw new Error(`${Key} was answered ${status}`);
  }
}

/** As SQLite's own shell does it. */
export function dumpFile(path: string): readonly string[] {
  const database = new Database(path);
  const rows = (sql: string) => listOf(database.prepare(sql).all());
  try {
    const [version] = rows('PRAGMA user_version');
    const objects = rows('SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid');
    const own = objects.filter(({ name }) => !String(name).startsWith('sqlite_'));
    const tables = objects.filter(({ type, name }) => type === 'table' && !/^sqlite_stat/.test(String(name)));
    const inserts = tables.flatMap(({ name }) => {
      const columns = rows(`PRAGMA table_info(${name})`).map((column) => `"${column.name}"`);
      const values = columns.map((column) => `quote(${column})`).join(" || ', ' || ");
      return rows(`SELECT ${values} AS line FROM ${name}`).map(
        ({ line }) => `INSERT INTO ${name} VALUES (${line})`,
      );
    });
    return [
      ...own.map(({ sql }) => String(sql)),
      ...inserts,
      `PRAGMA user_version = ${version?.user_version}`,
    ];
  } finally {
    database.close();
  }
}

export function restoreFile(path: string, statements: readonly string[]): void {
  const database = new Database(path);
  try {
    for (const each of statements) database.exec(each);
  } finally {
    database.close();
  }
}

export async function dumpRedis(url: string): Promise<readonly StoredKey[]> {
  const redis = new Redis(url);
  try {
    const keys: StoredKey[] = [];
    for (const name of (await redis.keys('*')).sort()) {
      const type = await redis.type(name);
      // BullMQ's notes for listeners, of which there are none.
      if (type === 'stream') continue;
      const lifeMs = await redis.pttl(name);
      keys.push({ name, type, values: await valuesOf(redis, name, type), ...(lifeMs > 0 ? { lifeMs } : {}) });
    }
    return keys;
  } finally {
    redis.disconnect();
  }
}

async function valuesOf(redis: Redis, name: string, type: string): Promise<readonly string[]> {
  switch (type) {
    case 'string':
      return [(await redis.get(name)) ?? ''];
    case 'hash':
      return Object.entries(await redis.hgetall(name)).flat();
    case 'list':
      return redis.lrange(name, 0, -1);
    case 'set':
      return (await redis.smembers(name)).sort();
    case 'zset':
      return redis.zrange(name, '0', '-1', 'WITHSCORES');
    default:
      throw new Error(`${name} is a ${type}`);
  }
}

export async function restoreRedis(url: string, keys: readonly StoredKey[]): Promise<void> {
  const redis = new Redis(url);
  try {
    for (const { name, type, values, lifeMs } of keys) {
      if (type === 'string') await redis.set(name, values[0] ?? '');
      else if (type === 'hash') await redis.hset(name, ...values);
      else if (type === 'list') await redis.rpush(name, ...values);
      else if (type === 'set') await redis.sadd(name, ...values);
      else
        for (let at = 0; at < values.length; at += 2)
          await redis.zadd(name, values[at + 1] ?? '', values[at] ?? '');
      if (lifeMs !== undefined) await redis.pexpire(name, lifeMs);
    }
  } finally {
    redis.disconnect();
  }
}

function without(entry: Readonly<Record<string, unknown>>, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !names.includes(name)));
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map((each: unknown) => Object(each)) : [];
}
