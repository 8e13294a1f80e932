import { join } from 'node:path';
import Database from 'libsql';
import { DecisionFile } from '../../src/decisions/embedded/decision-file.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import type { Decision } from '../../src/model/decision.js';
import { intentionSubject } from '../../src/plan/plan.js';

/** One decision every ten seconds: ten million are three years. */
const EVERY_MS = 10_000;
const BEGIN = Date.parse('2023-01-01T00:00:00.000Z');
const BATCH = 50_000;
/** So many are made; the rest are copies of them, each time later. */
const WRITTEN = 500_000;

const OPEN = { access: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1/orders' }] };
const READ = { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1/orders' }] };
/** The life of an edge, again and again. */
const LIFE = [
  {
    action: 'grant',
    verb: 'created',
    reason: 'ScopeGranted',
    before: null,
    after: OPEN,
    scopes: ['read', 'write'],
  },
  { action: 'revoke', verb: 'updated', reason: 'ScopeRevoked', before: OPEN, after: READ, scopes: ['write'] },
  {
    action: 'grant',
    verb: 'updated',
    reason: 'ScopeGranted',
    before: READ,
    after: OPEN,
    scopes: ['read', 'write'],
  },
  {
    action: 'revoke',
    verb: 'deleted',
    reason: 'ClientDisabled',
    before: OPEN,
    after: null,
    scopes: ['read', 'write'],
  },
] as const;

export interface TrailSize {
  readonly decisions: number;
  readonly services: number;
  /** Callers of each service. */
  readonly callers: number;
}

export function instantOf(position: number): string {
  return new Date(BEGIN + position * EVERY_MS).toISOString();
}

export const serviceName = (at: number) => `service-${at}`;

/** Fills an embedded log with the history of a fleet whose edges change in a random order. */
export async function writeTrail(
  directory: string,
  { decisions, services, callers }: TrailSize,
  progress: (message: string) => void,
): Promise<void> {
  const schema = schemaOf(join(directory, 'schema'));
  const database = new Database(join(directory, 'decisions.db'));
  // The file is thrown away after a crash.
  database.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -400000;');
  const isTrigger = (sql: string) => sql.startsWith('CREATE TRIGGER');
  for (const sql of schema.filter((each) => !isTrigger(each))) database.exec(sql);
  const insert = database.prepare<unknown[]>(
    'INSERT INTO decisions (id, time, subject, event) VALUES (?, ?, ?, ?)',
  );
  const note = database.prepare<unknown[]>('INSERT INTO about VALUES (?, ?, ?)');
  const lives = new Uint32Array(services * callers);
  let random = 1;
  const written = Math.min(decisions, WRITTEN);
  for (let from = 0; from < written; from += BATCH) {
    database.exec('BEGIN');
    for (let at = from; at < Math.min(from + BATCH, written); at++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const edge = random % lives.length;
      const decision = decisionOf(at, edge, lives[edge] ?? 0, callers);
      const { id, time, subject, resource, client, principal } = decision;
      insert.run(id, time, subject, JSON.stringify(toCloudEvent(decision)));
      // What the trigger does, without its work for each later decision of an edge.
      if (lives[edge] === 0) {
        note.run('client', client?.clientId, subject);
        note.run('source', resource.source, subject);
        note.run('destination', resource.destination, subject);
        note.run('principal', principal?.id, subject);
      }
      lives[edge] = (lives[edge] ?? 0) + 1;
    }
    database.exec('COMMIT');
  }
  for (let copies = 1; copies * written < decisions; copies++) {
    progress(`trail: ${copies * written} of ${decisions} decisions`);
    database.exec(copyOf(copies, written));
  }
  for (const sql of schema.filter(isTrigger)) database.exec(sql);
  database.close();
}

/** The first decisions again, later: SQLite copies them faster than they are made. */
function copyOf(copies: number, written: number): string {
  const later = `strftime('%Y-%m-%dT%H:%M:%fZ', time, '+${copies * written * (EVERY_MS / 1_000)} seconds')`;
  const id = `substr(id, 1, 2) || '${copies.toString(36).toUpperCase().padStart(4, 'Z')}' || substr(id, 7)`;
  return `INSERT INTO decisions (id, time, subject, event)
    SELECT ${id}, ${later}, subject, replace(replace(event, time, ${later}), id, ${id})
    FROM decisions WHERE seq <= ${written}`;
}

/** The statements that make the file of a log. */
function schemaOf(directory: string): readonly string[] {
  new DecisionFile(directory);
  const database = new Database(join(directory, 'decisions.db'), { readonly: true });
  const rows = database
    .prepare<unknown[]>("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    .all();
  database.close();
  return rows.map((row) => String((row as { sql: unknown }).sql));
}

function decisionOf(at: number, edge: number, life: number, callers: number): Decision {
  const destination = Math.floor(edge / callers);
  const source = serviceName((destination + 1 + (edge % callers)) % 1_000_000);
  const step = LIFE[life % LIFE.length] ?? LIFE[0];
  const time = instantOf(at);
  const name = { partition: 'default', namespace: 'default', name: serviceName(destination) };
  const { action, verb, reason, before, after, scopes } = step;
  return {
    id: `01${at.toString(36).toUpperCase().padStart(24, '0')}`,
    time,
    type: `dev.scopemesh.intention.${verb}`,
    subject: intentionSubject(name, source),
    source: 'scopemesh/payments/replica-1',
    action,
    outcome: 'applied',
    reason,
    resource: {
      kind: 'intention',
      source,
      destination: name.name,
      namespace: 'default',
      partition: 'default',
    },
    client: { provider: 'main', clientId: `${source}-app`, actorKind: 'workload' },
    scopes,
    principal: { id: `person-${edge % 100}` },
    cause: { kind: 'webhook', eventId: `event-${at}`, receivedAt: time },
    before,
    after,
    writeId: `write-${at}`,
    mappingRevision: 'sha256:9d2c6a1b0f3e4d5c',
    revision: life + 1,
    latencyMs: 11.4,
    chain: {
      log: '01JABCDEFGHJKMNPQRSTVWXYZ0',
      sequence: at + 1,
      previousHash: '0'.repeat(64),
      hash: '0'.repeat(64),
    },
  };
}
