import { existsSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
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
  readonly key?: readonly string[];
  readonly unchained?: number;
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
    .option(
      '--key <file...>',
      'the public key, or several after a change; for the log the default is trail-key.pub in state.directory',
    )
    .option(
      '--unchained <number>',
      'how many decisions from before the chain are known to be there',
      parseCount,
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Exit status: 0 if the chain is intact; 5 if it is broken; 1 if something is not proven (no chain,
a log without a checkpoint, decisions outside the chain), or on error.

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
  const { records, verifiers } =
    options.input === undefined
      ? await ofLog(await cli.openLogSettings(), options, cli)
      : { records: await ofFile(options.input), verifiers: keysIn(options.key) };
  const report = verifyTrail(records, { verifiers });
  const hasKey = verifiers.length > 0;
  const doubts = doubtsOf(report, hasKey, options.unchained ?? 0);
  const isVerified = report.fault === undefined && doubts.length === 0;
  if (options.json) cli.screen.json({ verified: isVerified, signaturesChecked: hasKey, ...report });
  else for (const line of reportLines(report, hasKey)) cli.screen.line(printable(line));
  if (report.fault !== undefined) return cli.exit(5);
  for (const doubt of doubts) cli.screen.warn(printable(`scopemesh: ${doubt}`));
  if (!isVerified) cli.exit(1);
}

/** What a person must know before they trust a log without a fault. */
export function doubtsOf(report: TrailReport, hasKey: boolean, unchained: number): readonly string[] {
  const unsigned = hasKey ? report.logs.filter(({ signed }) => signed === 0) : [];
  return [
    ...(report.decisions === 0 ? ['nothing was verified: there is no chain'] : []),
    ...unsigned.map(({ log }) => `no checkpoint signs log ${log}, so anybody could have written it`),
    ...(report.unchained === unchained
      ? []
      : [
          `${report.unchained} decisions have no place in the chain, and nothing proves them; if so many are older than the chain, give --unchained ${report.unchained}`,
        ]),
  ];
}

async function prove(id: string, cli: Cli): Promise<void> {
  const events: string[] = [];
  for await (const event of readEvents(await cli.openLogSettings(), cli)) events.push(event);
  cli.screen.json(proveInclusion(events, id));
}

async function verifyProof(path: string, { key, json }: Options, cli: Cli): Promise<void> {
  const verifiers = keysIn(key);
  if (verifiers.length === 0)
    throw new SyncError('ERR_CONFIG', '--proof needs the public key; give --key FILE', { retriable: false });
  const file = await openInput(path, '--proof');
  const proven = await file
    .readFile('utf8')
    .then((text) => verifyInclusion(text, verifiers))
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
  const settings = await cli.openLogSettings();
  if (settings.decisions.kind === 'embedded') {
    for await (const event of readEvents(settings, cli)) cli.screen.line(event);
    return;
  }
  // Each partition of a topic keeps only the order of its subjects.
  const events: string[] = [];
  for await (const event of readEvents(settings, cli)) events.push(event);
  for (const event of inChainOrder(events, toTrailRecord)) cli.screen.line(event);
}

/** What the log has, and the keys to check it with. */
export async function ofLog(
  settings: DecisionLogSettings,
  { key }: Options,
  cli: Cli,
): Promise<{ readonly records: readonly TrailRecord[]; readonly verifiers: readonly NoteVerifier[] }> {
  const records: TrailRecord[] = [];
  for await (const event of readEvents(settings, cli)) records.push(toTrailRecord(event));
  const own = publicKeyPath(settings.state.directory);
  const verifiers = keysIn(key ?? (existsSync(own) ? [own] : []));
  const isOrdered = settings.decisions.kind === 'embedded';
  return { records: isOrdered ? records : inChainOrder(records, (record) => record), verifiers };
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

function keysIn(paths: readonly string[] = []): readonly NoteVerifier[] {
  return paths.map((path) => {
    try {
      return createNoteVerifier(readFileSync(path, 'utf8'));
    } catch (error) {
      const message = `the public key ${path} cannot be used (${messageOf(error)})`;
      throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
    }
  });
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('write a whole number.');
  return Number(text);
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
