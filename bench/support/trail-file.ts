import { hash as digestOf, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { proveBatch, SIGNED_TOGETHER } from '../../src/decisions/batch-proof.js';
import {
  type ChainHead,
  emptyChain,
  leafOf,
  NO_HASH,
  toStoredText,
  withProofText,
} from '../../src/decisions/chain.js';
import {
  checkpointSubject,
  originOf,
  type StoredCheckpoint,
  signBeginning,
  signCheckpoint,
  toCheckpointEvent,
} from '../../src/decisions/checkpoint.js';
import { DecisionFile } from '../../src/decisions/embedded/decision-file.js';
import { appendLeaf, EMPTY_FRONTIER } from '../../src/decisions/merkle.js';
import { createNoteSigner, type NoteSigner } from '../../src/decisions/signed-note.js';
import { intentionSubject } from '../../src/plan/plan.js';

/** One decision every ten seconds: ten million are three years. */
const EVERY_MS = 10_000;
const BEGIN = Date.parse('2023-01-01T00:00:00.000Z');
/** A checkpoint signs so many more. */
const BATCH = 1_000;
/** Rows of one statement. */
const AT_ONCE = 100;
const LOG = '01JABCDEFGHJKMNPQRSTVWXYZ0';
/** The share of the first service. */
const BUSY = 0.1;

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

/**
 * Fills an embedded log, as scopemesh writes it, with the history of a fleet whose edges change in a random order: of ten
 * decisions one is about the first service. The public key of its checkpoints is beside it.
 */
export async function writeTrail(
  directory: string,
  { decisions, services, callers }: TrailSize,
  progress: (message: string) => void,
): Promise<void> {
  const schema = schemaOf(join(directory, 'schema'));
  const database = new Database(join(directory, 'decisions.db'));
  // The file is thrown away after a crash.
  database.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -400000;');
  const [tables, later] = [schema.filter(isTable), schema.filter((sql) => !isTable(sql))];
  for (const sql of tables) database.exec(sql);
  const insertOf = (rows: number) =>
    database.prepare<unknown[]>(
      `INSERT INTO decisions (id, time, subject, event) VALUES ${Array(rows).fill('(?, ?, ?, ?)').join()}`,
    );
  const insert = insertOf(AT_ONCE);
  const insertOne = insertOf(1);
  const note = database.prepare<unknown[]>('INSERT INTO about VALUES (?, ?, ?)');
  const lives = new Uint32Array(services * callers);
  const draw = drawing();
  const texts = LIFE.map(storedTextOf);
  const signer = signerIn(directory);
  const sign = (id: string, time: string, head: ChainHead): StoredCheckpoint => {
    const { log, tree } = head;
    const origin = originOf('payments', log);
    const note =
      tree.size === 0 ? signBeginning(signer, origin, undefined) : signCheckpoint(signer, origin, head);
    return { id, time, source: 'scopemesh/payments', log, note, tree };
  };
  const beginning = sign(`${idOf(0)}-beginning`, instantOf(0), emptyChain(LOG));
  const text = JSON.stringify(toCheckpointEvent(beginning));
  insertOne.run(beginning.id, beginning.time, checkpointSubject(LOG), text);
  let [hash, tree] = [NO_HASH, EMPTY_FRONTIER];
  for (let from = 0; from < decisions; from += BATCH) {
    database.exec('BEGIN');
    const values: string[] = [];
    let waiting: {
      readonly row: readonly [string, string, string];
      readonly stored: string;
      readonly hash: string;
    }[] = [];
    let time = '';
    for (let at = from; at < from + BATCH; at++) {
      const edge = Math.floor(draw() * (draw() < BUSY ? callers : lives.length));
      const life = lives[edge] ?? 0;
      const names = namesOf(edge, callers);
      time = instantOf(at);
      const text = texts[life % LIFE.length]?.({
        ...names,
        at: String(at),
        id: idOf(at),
        time,
        life: String(life + 1),
        sequence: String(at + 1),
        hash,
      });
      if (text === undefined) throw new Error('an edge has no life');
      hash = text.hash;
      tree = appendLeaf(tree, leafOf(hash));
      waiting.push({ row: [idOf(at), time, names.subject], ...text });
      if (waiting.length === SIGNED_TOGETHER || at === from + BATCH - 1) {
        const proofs = proveBatch(
          signer,
          waiting.map((each) => each.hash),
        );
        for (const [index, { row, stored }] of waiting.entries()) {
          const proof = proofs[index];
          if (proof !== undefined) values.push(...row, withProofText(stored, proof));
        }
        waiting = [];
      }
      // What the trigger does, without its work for each later decision of an edge.
      if (life === 0)
        for (const kind of ['client', 'source', 'destination', 'principal'] as const)
          note.run(kind, names[kind], names.subject);
      lives[edge] = life + 1;
      if (values.length < 4 * AT_ONCE) continue;
      insert.run(...values.splice(0, 4 * AT_ONCE));
    }
    for (; values.length > 0; ) insertOne.run(...values.splice(0, 4));
    const checkpoint = sign(`${idOf(from + BATCH - 1)}-checkpoint`, time, { log: LOG, hash, tree });
    insertOne.run(checkpoint.id, time, checkpointSubject(LOG), JSON.stringify(toCheckpointEvent(checkpoint)));
    database.exec('COMMIT');
    if (from % 500_000 === 0) progress(`trail: ${from} of ${decisions} decisions`);
  }
  progress('trail: the indexes');
  for (const sql of later) database.exec(sql);
  database.close();
}

const isTable = (sql: string) => sql.startsWith('CREATE TABLE');

function signerIn(directory: string): NoteSigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = createNoteSigner('scopemesh/payments', pem);
  writeFileSync(join(directory, 'trail-key.pub'), `${signer.verifierKey}\n`);
  return signer;
}

/** Numbers from 0 to below 1, the same in each run. */
function drawing(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0) / 2 ** 32;
  };
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

const idOf = (at: number) => `01${at.toString(36).toUpperCase().padStart(24, '0')}`;

function namesOf(edge: number, callers: number) {
  const at = Math.floor(edge / callers);
  const source = serviceName(at + 1 + (edge % callers));
  const destination = serviceName(at);
  const place = { partition: 'default', namespace: 'default', name: destination };
  return {
    source,
    destination,
    subject: intentionSubject(place, source),
    client: `${source}-app`,
    principal: `person-${edge % 100}`,
  };
}

/**
 * Makes the stored text of each decision of a kind from one that scopemesh wrote: that is some ten times as fast. Gives it
 * with its hash.
 */
function storedTextOf({ action, verb, reason, before, after, scopes }: (typeof LIFE)[number]) {
  const pattern = toStoredText({
    id: '@id@',
    time: '@time@',
    type: `dev.scopemesh.intention.${verb}`,
    subject: '@subject@',
    source: 'scopemesh/payments/replica-1',
    action,
    outcome: 'applied',
    reason,
    resource: {
      kind: 'intention',
      source: '@source@',
      destination: '@destination@',
      namespace: 'default',
      partition: 'default',
    },
    client: { provider: 'main', clientId: '@client@', actorKind: 'workload' },
    scopes,
    principal: { id: '@principal@' },
    cause: { kind: 'webhook', eventId: 'event-@at@', receivedAt: '@time@' },
    before,
    after,
    writeId: 'write-@at@',
    mappingRevision: 'sha256:9d2c6a1b0f3e4d5c',
    revision: 7770001,
    latencyMs: 11.4,
    chain: { log: LOG, sequence: 7770002, previousHash: '@hash@', hash: '@own@' },
  });
  const [front = [], back = []] = pattern
    .split('"hash":"@own@",')
    .map((text) => text.replaceAll('7770001', '@life@').replaceAll('7770002', '@sequence@').split('@'));
  return (values: Readonly<Record<string, string>>) => {
    // Each second part is the name of a hole.
    const fill = (parts: readonly string[]) => {
      let text = '';
      for (let at = 0; at < parts.length; at++) text += at % 2 === 0 ? parts[at] : values[parts[at] ?? ''];
      return text;
    };
    const [begin, end] = [fill(front), fill(back)];
    const own = digestOf('sha256', begin + end, 'hex');
    return { hash: own, stored: `${begin}"hash":"${own}",${end}` };
  };
}
