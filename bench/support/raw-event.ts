import { join } from 'node:path';
import Database from 'libsql';
import { Pool } from 'undici';
import type { BenchConsul } from './consul.js';
import type { IdentityProvider } from './identity-provider.js';

/** The least work behind one event, done one step after the other. */
export interface RawEvent {
  /**
   * Milliseconds of: one synced store write, the identity provider's client, Consul's entry, a second store write, the
   * entry's write.
   */
  handle(clientId: string, destination: string, source: string): Promise<number>;
  close(): Promise<void>;
}

export function openRawEvent(directory: string, consul: BenchConsul, idp: IdentityProvider): RawEvent {
  const database = new Database(join(directory, 'raw.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE records (id INTEGER PRIMARY KEY, content TEXT NOT NULL)');
  const insert = database.prepare<unknown[]>('INSERT INTO records (content) VALUES (?)');
  const pool = new Pool(idp.origin, { connections: 1, pipelining: 1 });
  // About the size of an event, and of a decision.
  const record = JSON.stringify({ text: 'x'.repeat(800) });
  return {
    async handle(clientId, destination, source) {
      const begun = performance.now();
      insert.run(record);
      const client = await pool.request({ method: 'GET', path: `/directory/${clientId}` });
      await client.body.json();
      const path = `/v1/config/service-intentions/${destination}`;
      const answer = await consul.send('GET', path, undefined, 404);
      const entry = answer.status === 404 ? { Sources: [] } : JSON.parse(answer.text);
      const kept = entry.Sources.filter(({ Name }: { Name: string }) => Name !== source);
      const added =
        kept.length < entry.Sources.length ? [] : [{ Name: source, Action: 'allow', Type: 'consul' }];
      const body = { Kind: 'service-intentions', Name: destination, Sources: [...kept, ...added] };
      insert.run(record);
      await consul.send('PUT', `/v1/config?cas=${entry.ModifyIndex ?? 0}`, JSON.stringify(body));
      return performance.now() - begun;
    },
    async close() {
      await pool.destroy();
      database.close();
    },
  };
}
