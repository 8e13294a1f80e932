import { readFileSync } from 'node:fs';
import { addAbortSignal, Readable } from 'node:stream';
import type { DecisionLogSettings } from '../../app/adapter-factory.js';
import { countText } from '../../app/count-text.js';
import { systemClock } from '../../clock.js';
import { type KeptCheckpoint, openKept } from '../../decisions/checkpoint.js';
import { createWitness, type Witness } from '../../decisions/cosignature.js';
import { isExtensionProof, verifyExtension, verifyInclusion } from '../../decisions/proofs.js';
import { readLines } from '../../decisions/read-lines.js';
import { createNoteVerifier, type NoteVerifier } from '../../decisions/signed-note.js';
import { TopicContent } from '../../decisions/topic-content.js';
import { type TrailRecord, toTrailRecord } from '../../decisions/trail-record.js';
import { type TrailFault, type TrailReport, TrailVerification } from '../../decisions/verify-trail.js';
import { configError, messageOf } from '../../errors.js';
import { policyOf } from '../../plan/mode.js';
import type { Cli } from '../cli.js';
import { defineCommand, files, option } from '../command.js';
import { openInput, readInput } from '../input-file.js';
import { keysOf, readChain } from '../read-decision-log.js';
import { withConsul } from '../with-consul.js';

export const verify = defineCommand({
  name: 'verify',
  summary: 'check that nobody changed the log',
  description:
    'Checks the hash chain, the signatures and the checkpoints of the decision log, or of a file that decisions export or ' +
    'evidence wrote. Names the first decision that was changed, removed, inserted, repeated, moved or not signed. Of the log, ' +
    'also what answers are made from beside the decisions, and that it has what the newest note in Consul signs.',
  takes: {
    input: option(
      '<file>',
      'check a file with one event per line instead of the log; - is the standard input',
    ),
    proof: option('<file>', 'check a proof that decisions prove wrote; needs --key'),
    checkpoint: option('<file>', 'with a proof of decisions prove --extends: the checkpoint that you kept'),
    witness: files(
      'with --checkpoint: the public keys of witnesses, each of which must have cosigned the checkpoint',
    ),
    key: files(
      'the public keys that you trust; for the log the default is trail-key.pub in state.directory and decisions.trustedKeys',
    ),
  },
  json: 'print one JSON document',
  exit: `0 if the chain is intact and signed; 5 if it is broken; 1 if nothing was proven
(no decisions, or no key), or on error. Messages of a topic that no key signed are counted and
left out, here as everywhere.`,
  notes: `Keep a copy of the public key on another machine: a person who can change the log can also
change the key beside it.`,
  examples: [
    'scopemesh decisions verify --key trail-key.pub',
    'scopemesh decisions export > decisions.jsonl',
    'scopemesh decisions verify --input decisions.jsonl --key trail-key.pub',
  ],
  async run({ input, proof, checkpoint, witness, key, json }, cli) {
    if (witness !== undefined && (proof === undefined || checkpoint === undefined))
      throw configError(
        '--witness is about a checkpoint that you kept; give it with --proof FILE --checkpoint FILE',
      );
    if (proof !== undefined) {
      const { proven, text, broken } = await checkProof(proof, checkpoint, key, witness);
      if (json) cli.screen.json({ verified: proven !== undefined, ...proven });
      else cli.screen.text(proven === undefined ? `BROKEN: ${broken}` : text);
      if (proven === undefined) cli.exit(5);
      return;
    }
    const checked =
      input === undefined
        ? await ofLog(await cli.openLogSettings(), { key, json }, cli)
        : {
            records: input === '-' ? ofInput(cli) : ofFile(input),
            verifiers: keysIn(key, createNoteVerifier),
          };
    const report = await verifyRecords(checked);
    const hasKey = checked.verifiers.length > 0;
    const verified = report.fault === undefined && report.decisions > 0;
    if (json) cli.screen.json({ verified, signaturesChecked: hasKey, ...report });
    else for (const line of reportLines(report, hasKey)) cli.screen.text(line);
    if (input !== undefined && INCOMPLETE_FAULTS.has(report.fault?.kind))
      cli.screen.warn(`scopemesh: ${INCOMPLETE}`);
    if (report.fault !== undefined) return cli.exit(5);
    if (verified) return;
    cli.screen.warn('scopemesh: nothing was verified: there are no decisions');
    cli.exit(1);
  },
});

/** A list may lack decisions although nobody removed any. */
const INCOMPLETE_FAULTS: ReadonlySet<unknown> = new Set(['removed', 'inserted']);
const INCOMPLETE =
  'a list made with -n, --since, --subject or another filter lacks decisions; check the log itself (scopemesh decisions verify) or the output of scopemesh decisions export';

async function checkProof(
  path: string,
  checkpoint: string | undefined,
  key: readonly string[] | undefined,
  witness: readonly string[] | undefined,
): Promise<CheckedProof> {
  const verifiers = keysIn(key, createNoteVerifier);
  if (verifiers.length === 0) throw configError('--proof needs the public key; give --key FILE');
  const proof = await readInput(path, '--proof', 'prove');
  const witnesses = keysIn(witness, createWitness);
  if (isExtensionProof(proof)) return ofExtension(proof, await noteIn(checkpoint), verifiers, witnesses);
  if (witnesses.length > 0) throw configError('--witness needs a proof of decisions prove --extends');
  return ofInclusion(proof, verifiers);
}

interface CheckedProof {
  readonly proven: object | undefined;
  /** For people: what is proven, and what is not. */
  readonly text: string;
  readonly broken: string;
}

function ofInclusion(proof: string, verifiers: readonly NoteVerifier[]): CheckedProof {
  const proven = verifyInclusion(proof, verifiers);
  return {
    proven,
    text: `decision ${proven?.id} is number ${proven?.sequence} of ${proven?.size} signed decisions`,
    broken: 'the proof does not show that the key signed this decision',
  };
}

function ofExtension(
  proof: string,
  note: string,
  verifiers: readonly NoteVerifier[],
  witnesses: readonly Witness[],
): CheckedProof {
  const proven = verifyExtension(proof, note, verifiers);
  const seen = witnesses.map((witness) => ({ witness: witness.name, at: witness.cosignedAt(note) }));
  const missing = seen.filter(({ at }) => at === undefined).map(({ witness }) => witness);
  const by = seen.map(({ witness, at }) => `; witness ${witness} cosigned it at ${at}`).join('');
  return {
    proven:
      proven && missing.length === 0 ? { ...proven, ...(by === '' ? {} : { witnesses: seen }) } : undefined,
    text: `log ${proven?.log} of ${proven?.to} signed decisions begins with the ${proven?.from} that your checkpoint signs${by}`,
    broken:
      proven === undefined
        ? 'the proof does not show that the log begins with the decisions that your checkpoint signs'
        : `the checkpoint has no valid cosignature of ${missing.join(', ')}`,
  };
}

async function noteIn(path: string | undefined): Promise<string> {
  if (path !== undefined) return readInput(path, '--checkpoint', 'checkpoint');
  throw configError('this proof is about a checkpoint that you kept; give it with --checkpoint FILE');
}

/** What is checked, and with what. Many records at a time: to wait for each costs as much as its hash. */
export interface Checked {
  readonly records: AsyncIterable<readonly TrailRecord[]>;
  readonly verifiers: readonly NoteVerifier[];
  readonly kept?: KeptCheckpoint | undefined;
  /** What is wrong beside the decisions. Called after they were read. */
  readonly beside?: () => Promise<TrailFault | undefined>;
}

/** What the log has, and the keys to check it with. */
export async function ofLog(
  settings: DecisionLogSettings,
  { key, json }: { readonly key: readonly string[] | undefined; readonly json?: true | undefined },
  cli: Cli,
  see: (event: string, record: TrailRecord) => void = () => {},
): Promise<Checked> {
  const verifiers = key === undefined ? keysOf(settings) : keysIn(key, createNoteVerifier);
  // First: the log then has at least what it signs.
  const kept = await keptIn(verifiers, cli);
  const { owner, decisions } = settings;
  const topic =
    decisions.kind === 'kafka' ? new TopicContent(owner, systemClock.now(), decisions.keepMs) : undefined;
  async function* read(): Checked['records'] {
    const keep = (event: string, record: TrailRecord) => ({ event, record });
    for await (const { event, record } of readChain(settings, cli, keep, {
      quiet: json === true,
      verifiers,
    })) {
      see(event, record);
      topic?.add(record);
      yield [record];
    }
  }
  const records = read();
  const beside = async () => (await cli.context.adapters()).verifyTrail(settings, verifiers, topic);
  return { records, verifiers, kept, beside };
}

/** The newest signed note of the log in Consul. */
async function keptIn(verifiers: readonly NoteVerifier[], cli: Cli): Promise<KeptCheckpoint | undefined> {
  const unsure = (why: string) => cli.screen.warn(`scopemesh: not compared with Consul: ${why}`);
  try {
    const config = await cli.openConfig();
    if (!policyOf(config).writes || verifiers.length === 0) return undefined;
    const note = await withConsul(cli, config, ({ logNote }) => logNote.read(cli.signal));
    const kept = note === undefined ? undefined : openKept(verifiers, note);
    if (note !== undefined && kept === undefined) unsure('none of the keys signed the note of the log there');
    return kept;
  } catch (error) {
    unsure(messageOf(error).split('\n')[0] ?? '');
    return undefined;
  }
}

export async function verifyRecords({ records, verifiers, kept, beside }: Checked): Promise<TrailReport> {
  const verification = new TrailVerification(verifiers, kept);
  for await (const batch of records) for (const record of batch) verification.add(record);
  const report = verification.report();
  const fault = report.fault ?? (await beside?.());
  return fault === undefined ? report : { ...report, fault };
}

async function* ofInput({ context: { stdin }, signal }: Cli): Checked['records'] {
  if (stdin.isTTY === true)
    throw configError('pipe the output of scopemesh decisions export into this command, or name a file');
  if (stdin instanceof Readable) addAbortSignal(signal, stdin);
  for await (const lines of readLines(stdin)) yield lines.map(toTrailRecord);
}

async function* ofFile(path: string): Checked['records'] {
  const file = await openInput(path, '--input', 'export');
  try {
    for await (const lines of readLines(file.createReadStream({ autoClose: false })))
      yield lines.map(toTrailRecord);
  } finally {
    await file.close();
  }
}

function keysIn<T>(paths: readonly string[] | undefined, parse: (text: string) => T): readonly T[] {
  return (paths ?? []).map((path) => {
    try {
      return parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw configError(`the public key ${path} cannot be used (${messageOf(error)})`, error);
    }
  });
}

function* reportLines(report: TrailReport, hasKey: boolean): Iterable<string> {
  const { decisions, unproven, logs, checkpoints, fault } = report;
  for (const { log, first, last, follows } of logs) {
    const after = follows === undefined ? '' : `, after ${follows.size} of log ${follows.log}`;
    yield `log ${log}: decisions ${first} to ${last}${after}`;
  }
  const [oldest] = logs;
  if (oldest !== undefined && (oldest.first > 1 || oldest.follows !== undefined))
    yield `log ${oldest.log} is not the whole beginning: what was before it is not here`;
  if (logs.length > 1) yield 'there are several logs: each began after its store was lost or replaced';
  if (unproven > 0)
    yield `${countText(unproven, 'message')} of the topic that no key signed, or that repeat others, are left out here and everywhere`;
  const intact = `the chain of ${countText(decisions, 'decision')} is intact`;
  if (fault !== undefined) {
    const { kind, id, position, place, detail } = fault;
    const where = `${position}${place === undefined ? '' : ` (${place})`}`;
    yield `BROKEN at event ${where}: ${kind}${id === undefined ? '' : ` ${id}`}: ${detail}`;
  } else if (decisions > 0 && !hasKey)
    yield `${intact}; no signature was checked, so it proves nothing about who wrote it: give --key`;
  else if (decisions > 0) yield `${intact} and signed, with ${countText(checkpoints, 'checkpoint')}`;
}
