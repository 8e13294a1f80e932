import { existsSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Command } from 'commander';
import { proveInclusion, verifyInclusion } from '../../decisions/inclusion-proof.js';
import { createNoteVerifier, type NoteVerifier } from '../../decisions/signed-note.js';
import { publicKeyPath } from '../../decisions/signing-key.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../decisions/trail-record.js';
import { type TrailReport, verifyTrail } from '../../decisions/verify-trail.js';
import { messageOf, SyncError } from '../../errors.js';
import type { Cli } from '../cli.js';
import type { DecisionLogSettings } from '../parts.js';
import { readDecisionLog } from '../read-decision-log.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly input?: string;
  readonly key?: string;
  readonly proof?: string;
  readonly json?: true;
}

export function addVerify(decisions: Command, cli: Cli): void {
  decisions
    .command('verify')
    .summary('check that nobody changed the log')
    .description(
      'Checks the hash chain and the signed checkpoints of the decision log, or of a file that decisions export or ' +
        'decisions list --json wrote. Names the first decision that was changed, removed, inserted, repeated or moved.',
    )
    .option('--input <file>', 'check a file with one event per line instead of the log')
    .option('--proof <file>', 'check a proof that decisions prove wrote; needs --key')
    .option('--key <file>', 'the public key; for the log the default is trail-key.pub in state.directory')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Exit status: 0 if the chain is intact; 5 if it is broken; 1 if there is no chain, or on error.

Keep a copy of the public key on another machine: a person who can change the log can also
change the key beside it.

Examples:
  scopemesh decisions verify --key trail-key.pub
  scopemesh decisions export > decisions.jsonl
  scopemesh decisions verify --input decisions.jsonl --key trail-key.pub`,
    )
    .action((options: Options) => verify(options, cli));
  decisions
    .command('prove')
    .summary('print a proof that one decision is in the log')
    .description(
      'Prints a proof that a decision is in the signed log. It shows this decision and none of the others.',
    )
    .argument('<id>', 'the ID of the decision')
    .addHelpText(
      'after',
      `
Example:
  scopemesh decisions prove 01JABCDEFGHJKMNPQRSTVWXYZ0 > proof.json
  scopemesh decisions verify --proof proof.json --key trail-key.pub`,
    )
    .action((id: string) => prove(id, cli));
  decisions
    .command('export')
    .summary('print all decisions and checkpoints, for decisions verify')
    .description('Prints the events of the log as they are stored, decisions and checkpoints, one per line.')
    .addHelpText(
      'after',
      `
Example:
  scopemesh decisions export > decisions.jsonl`,
    )
    .action(() => exportLog(cli));
}

async function verify(options: Options, cli: Cli): Promise<void> {
  if (options.proof !== undefined) return verifyProof(options.proof, options, cli);
  const { records, verifier } =
    options.input === undefined
      ? await ofLog(await cli.openLogSettings(), options, cli)
      : { records: await ofFile(options.input), verifier: keyIn(options.key) };
  const report = verifyTrail(records, verifier === undefined ? {} : { verifier });
  const hasKey = verifier !== undefined;
  const isVerified = report.fault === undefined && report.decisions > 0;
  if (options.json) cli.screen.json({ verified: isVerified, signaturesChecked: hasKey, ...report });
  else for (const line of reportLines(report, hasKey)) cli.screen.line(printable(line));
  if (report.fault !== undefined) cli.exit(5);
  else if (report.decisions === 0) {
    cli.screen.warn('scopemesh: nothing was verified: there is no chain');
    cli.exit(1);
  }
}

async function prove(id: string, cli: Cli): Promise<void> {
  const events: string[] = [];
  for await (const event of readEvents(await cli.openLogSettings(), cli)) events.push(event);
  cli.screen.json(proveInclusion(events, id));
}

async function verifyProof(path: string, { key, json }: Options, cli: Cli): Promise<void> {
  const verifier = keyIn(key);
  if (verifier === undefined)
    throw new SyncError('ERR_CONFIG', '--proof needs the public key; give --key FILE', { retriable: false });
  const file = await openInput(path, '--proof');
  const proven = await file
    .readFile('utf8')
    .then((text) => verifyInclusion(text, verifier))
    .finally(() => file.close());
  if (json) cli.screen.json({ verified: proven !== undefined, ...proven });
  else if (proven === undefined)
    cli.screen.line('BROKEN: the proof does not show that the key signed this decision');
  else
    cli.screen.line(
      printable(`decision ${proven.id} is number ${proven.sequence} of ${proven.size} signed decisions`),
    );
  if (proven === undefined) cli.exit(5);
}

async function exportLog(cli: Cli): Promise<void> {
  for await (const event of readEvents(await cli.openLogSettings(), cli)) cli.screen.line(event);
}

async function ofLog(
  settings: DecisionLogSettings,
  { key }: Options,
  cli: Cli,
): Promise<{ readonly records: readonly TrailRecord[]; readonly verifier: NoteVerifier | undefined }> {
  const records: TrailRecord[] = [];
  for await (const event of readEvents(settings, cli)) records.push(toTrailRecord(event));
  const own = publicKeyPath(settings.state.directory);
  const verifier = keyIn(key ?? (existsSync(own) ? own : undefined));
  return { records: settings.decisions.kind === 'embedded' ? records : inChainOrder(records), verifier };
}

function readEvents(settings: DecisionLogSettings, cli: Cli): AsyncIterable<string> {
  const options = { from: 'start', follow: false } as const;
  return readDecisionLog(settings, cli, false, (log) => log.readEvents(options, cli.signal));
}

async function ofFile(path: string): Promise<readonly TrailRecord[]> {
  const file = await openInput(path);
  const records: TrailRecord[] = [];
  try {
    for await (const line of file.readLines({ encoding: 'utf8' }))
      if (line.trim() !== '') records.push(toTrailRecord(line));
  } finally {
    await file.close();
  }
  return records;
}

async function openInput(path: string, option = '--input'): Promise<FileHandle> {
  try {
    if (statSync(path).isDirectory()) throw new Error('it is a directory');
    return await open(path);
  } catch (error) {
    const command = option === '--proof' ? 'prove' : 'export';
    const message = `${option} ${path} cannot be read (${messageOf(error)}); give a file that scopemesh decisions ${command} wrote`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
  }
}

function keyIn(path: string | undefined): NoteVerifier | undefined {
  if (path === undefined) return undefined;
  try {
    return createNoteVerifier(readFileSync(path, 'utf8'));
  } catch (error) {
    const message = `the public key ${path} cannot be used (${messageOf(error)})`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
  }
}

function reportLines(report: TrailReport, hasKey: boolean): readonly string[] {
  const { decisions, unchained, logs, checkpoints, fault } = report;
  const lines = logs.map(({ log, first, last }) => `log ${log}: decisions ${first} to ${last}`);
  for (const { log, first } of logs)
    if (first > 1) lines.push(`log ${log} begins at decision ${first}: what was before it is not here`);
  if (logs.length > 1) lines.push('there are several logs: each began after its store was lost or replaced');
  if (unchained > 0) lines.push(`${unchained} decisions are older than the chain, and nothing proves them`);
  if (fault !== undefined) {
    const { kind, id, position, detail } = fault;
    return [...lines, `BROKEN at event ${position}: ${kind}${id === undefined ? '' : ` ${id}`}: ${detail}`];
  }
  if (decisions === 0) return lines;
  if (!hasKey)
    return [
      ...lines,
      `the chain of ${decisions} decisions is intact; no signature was checked, so it proves nothing about who wrote it: give --key`,
    ];
  return [
    ...lines,
    `the chain of ${decisions} decisions is intact, and ${checkpoints} checkpoints sign it`,
    ...logs
      .filter(({ last, signed }) => signed < last)
      .map(({ log, last, signed }) => `no signature covers decisions ${signed + 1} to ${last} of log ${log}`),
  ];
}
