import { statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../../../config/duration.js';
import { systemClock } from '../../clock.js';
import { parseCloudEvent, toCloudEvent } from '../../decisions/envelope.js';
import { messageOf, SyncError } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { isApprovable } from '../../plan/holds.js';
import type { Cli } from '../cli.js';
import { hasDecisionLog } from '../has-decision-log.js';
import type { DecisionLogSettings } from '../parts.js';
import { decisionText } from '../terminal/decision-text.js';
import { approveCommand } from '../terminal/plan-text.js';
import { printable } from '../terminal/screen.js';

interface Filter {
  readonly json?: true;
  readonly since?: string;
  readonly subject?: string;
  readonly limit?: number;
}

export function addDecisions(program: Command, cli: Cli): void {
  const decisions = program
    .command('decisions')
    .summary('show the log of every change and refusal, with the reason')
    .description(
      'Shows the decision log: every change, every hold and every refusal, with its cause and its reason.',
    )
    .helpCommand(false);
  withFilter(decisions.command('list'))
    .summary('print the decisions made so far')
    .description(
      'Prints the decisions made so far, oldest first. Works also if the configuration file has faults elsewhere than ' +
        'in owner, decisions and state.',
    )
    .option('-n, --limit <number>', 'print only this many of the newest decisions', parseLimit)
    .addHelpText(
      'after',
      `
Examples:
  scopemesh decisions list --since 1h
  scopemesh decisions list --subject intention/default/default/orders/web
  scopemesh decisions list --json | jq 'select(.data.outcome == "held") | .id'`,
    )
    .action((filter: Filter) => list(filter, cli));
  withFilter(decisions.command('tail'))
    .summary('print decisions as they are made, until you press ctrl-c')
    .description(
      'Prints decisions as they are made, until you press ctrl-c. With --since also those made since then.',
    )
    .addHelpText(
      'after',
      `
Examples:
  scopemesh decisions tail
  scopemesh decisions tail --since 10m --json`,
    )
    .action((filter: Filter) => tail(filter, cli));
  decisions
    .command('verify')
    .summary('check the hash chain of the log')
    .description('Checks the hash chain of the decision log, or of lines printed by decisions list --json.')
    .option('--input <file>', 'check a file with one CloudEvent per line instead of the log')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Exit status: 0 if the chain is intact; 5 if it is broken; 1 if there is no chain, or on error.

Example:
  scopemesh decisions list --json > decisions.jsonl
  scopemesh decisions verify --input decisions.jsonl`,
    )
    .action((options: { readonly input?: string; readonly json?: true }) => verify(options, cli));
}

function withFilter(command: Command): Command {
  return command
    .option('--json', 'print one CloudEvent per line')
    .option('--since <when>', 'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d)', parseSince)
    .option(
      '--subject <subject>',
      'print only decisions about this subject; with a final / also those below it',
    );
}

async function list(filter: Filter, cli: Cli): Promise<void> {
  const { limit } = filter;
  const settings = await cli.openLogSettings();
  // A topic keeps only the order of each subject. Over all subjects, the time orders.
  const isOrdered = settings.decisions.kind === 'embedded';
  const kept: Decision[] = [];
  for await (const decision of readLog(settings, cli, filter.since ?? 'start', false)) {
    if (!isAbout(decision, filter.subject)) continue;
    if (isOrdered && limit === undefined) print(decision, filter, cli);
    else kept.push(decision);
    if (isOrdered && limit !== undefined && kept.length > limit) kept.shift();
  }
  const sorted = isOrdered ? kept : kept.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const decision of sorted.slice(limit === undefined ? 0 : -limit)) print(decision, filter, cli);
}

async function tail(filter: Filter, cli: Cli): Promise<void> {
  try {
    const settings = await cli.openLogSettings();
    for await (const decision of readLog(settings, cli, filter.since ?? 'end', true))
      if (isAbout(decision, filter.subject)) print(decision, filter, cli);
  } catch (error) {
    // ctrl-c is the normal end.
    if (!cli.signal.aborted) throw error;
  }
}

async function* readLog(
  settings: DecisionLogSettings,
  cli: Cli,
  from: string,
  follow: boolean,
): AsyncIterable<Decision> {
  if (!hasDecisionLog(settings)) {
    sayEmpty(settings.state.directory, cli);
    // There are no decisions: reading must not create a file.
    if (!follow) return;
  }
  const log = await cli.around.parts.openDecisionLog(settings, cli.runtime(true));
  try {
    yield* log.read({ from, follow }, cli.signal);
  } finally {
    await log.close();
  }
}

/** An empty answer could also mean that state.directory is the wrong one. */
function sayEmpty(directory: string, cli: Cli): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === false) {
    const message = `state.directory ${directory} is not a directory; set it to the directory in which the daemon keeps its state`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  cli.screen.warn(printable(`there are no decisions yet in ${directory} (state.directory)`));
}

function print(decision: Decision, filter: Filter, cli: Cli): void {
  if (filter.json) cli.screen.jsonLine(toCloudEvent(decision));
  else {
    cli.screen.line(decisionText(decision, cli.screen.colors));
    if (decision.outcome === 'held' && isApprovable(decision.reason))
      cli.screen.line(printable(`    ${approveCommand({ decisionId: decision.id, rejectedBy: null })}`));
  }
}

function isAbout(decision: Decision, subject: string | undefined): boolean {
  if (subject === undefined) return true;
  return subject.endsWith('/') ? decision.subject.startsWith(subject) : decision.subject === subject;
}

/** There is no hash chain yet, and the answer must not look as if one had been verified. */
async function verify(options: { readonly input?: string; readonly json?: true }, cli: Cli): Promise<void> {
  let count = 0;
  const source =
    options.input === undefined
      ? readLog(await cli.openLogSettings(), cli, 'start', false)
      : readLines(options.input);
  for await (const _ of source) count++;
  const message =
    `nothing was verified: these ${count} decisions have no hash chain. This version of scopemesh does not write ` +
    'one yet, so nobody can see whether somebody changed the log';
  if (options.json) cli.screen.json({ verified: false, decisions: count, chain: 'absent', message });
  else cli.screen.warn(`scopemesh: ${message}`);
  cli.exit(1);
}

async function* readLines(path: string): AsyncIterable<Decision> {
  const file = await openInput(path);
  try {
    let number = 0;
    for await (const line of file.readLines({ encoding: 'utf8' })) {
      number++;
      if (line.trim() === '') continue;
      try {
        yield parseCloudEvent(line);
      } catch (error) {
        throw new SyncError('ERR_EVENT_INVALID', printable(`${path}:${number}: ${messageOf(error)}`), {
          retriable: false,
        });
      }
    }
  } finally {
    await file.close();
  }
}

async function openInput(path: string): Promise<FileHandle> {
  try {
    if (statSync(path).isDirectory()) throw new Error('it is a directory');
    return await open(path);
  } catch (error) {
    const message = `--input ${path} cannot be read (${messageOf(error)}); give a file that scopemesh decisions list --json printed`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
  }
}

function parseSince(text: string): string {
  const age = parseDuration(text);
  if (age !== undefined) return new Date(systemClock.now() - age).toISOString();
  const instant = Date.parse(text);
  if (Number.isNaN(instant))
    throw new InvalidArgumentError('write an instant such as 2026-01-31T12:00:00Z or an age such as 10m.');
  return new Date(instant).toISOString();
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('write a whole number from 1 up.');
  return Number(text);
}
