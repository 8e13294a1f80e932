import type { DecisionLogSettings } from '../../app/adapter-factory.js';
import { hasDecisionLog } from '../../app/has-decision-log.js';
import { parseJson, toCloudEvent } from '../../decisions/envelope.js';
import { compareDecisions, type Decision } from '../../model/decision.js';
import { isApprovable } from '../../plan/holds.js';
import type { Cli } from '../cli.js';
import { defineCommand, defineGroup, option } from '../command.js';
import { parseInstant } from '../instant.js';
import { parseWhole } from '../option-values.js';
import { readChain, readDecisions } from '../read-decision-log.js';
import { holdsIn } from '../recorded-holds.js';
import { decisionText } from '../terminal/decision-text.js';
import { approveCommand } from '../terminal/plan-text.js';
import { checkpoint, exportLog, prove } from './decisions-prove.js';
import { verify } from './decisions-verify.js';

interface Filter {
  readonly json?: true;
  readonly since: string | undefined;
  readonly subject: string | undefined;
}

const FILTER = {
  since: option('<when>', 'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d)', parseInstant),
  subject: option('<subject>', 'print only decisions about this subject; with a final / also those below it'),
};

const list = defineCommand({
  name: 'list',
  summary: 'print the decisions made so far',
  description:
    'Prints the decisions made so far, oldest first. It works even if the configuration file has faults elsewhere than ' +
    'in owner, decisions and state. As text, an embedded log is read twice, unless --limit is set: first to ' +
    'find the holds that are still open. If keep deleted the beginning of the log, --json without a filter prints first the checkpoint ' +
    'with which it begins now, so that decisions verify --input can check the list.',
  takes: {
    ...FILTER,
    limit: option('<number>', 'print only this many of the newest decisions', parseWhole(1), 'n'),
  },
  json: 'print one CloudEvent per line',
  examples: [
    'scopemesh decisions list --since 1h',
    'scopemesh decisions list --subject intention/default/default/orders/web',
    `scopemesh decisions list --json | jq 'select(.data.outcome == "held") | .id'`,
  ],
  async run({ limit, ...filter }, cli) {
    const { json, since, subject } = filter;
    const settings = await cli.openLogSettings();
    // A topic keeps only the order of each subject.
    const isOrdered = settings.decisions.kind === 'embedded';
    const isWhole = since === undefined && subject === undefined && limit === undefined;
    if (json && isOrdered && isWhole) return listEvents(settings, cli);
    const decisions = readLog(settings, cli, since ?? 'start', false, filter);
    if (isOrdered && limit === undefined) {
      const approvals = await readApprovals(settings, cli, since ?? 'start', filter);
      for await (const decision of decisions) print(decision, filter, approvals, cli);
      return;
    }
    const kept: Decision[] = [];
    for await (const decision of decisions) {
      kept.push(decision);
      if (isOrdered && limit !== undefined && kept.length > limit) kept.shift();
    }
    const approvals = await approvalsIn(kept);
    const sorted = isOrdered ? kept : kept.toSorted(compareDecisions);
    for (const decision of sorted.slice(limit === undefined ? 0 : -limit))
      print(decision, filter, approvals, cli);
  },
});

const tail = defineCommand({
  name: 'tail',
  summary: 'print decisions as they are made, until you press ctrl-c',
  description:
    'Prints decisions as they are made, until you press ctrl-c. With --since also those made since then.',
  takes: FILTER,
  json: 'print one CloudEvent per line',
  examples: ['scopemesh decisions tail', 'scopemesh decisions tail --since 10m --json'],
  isEndless: true,
  async run(filter, cli) {
    const { since } = filter;
    const settings = await cli.openLogSettings();
    const approvals = await readApprovals(settings, cli, since, filter);
    for await (const decision of readLog(settings, cli, since ?? 'end', true, filter))
      print(decision, filter, approvals, cli);
  },
});

export const decisions = defineGroup(
  'decisions',
  {
    summary: 'show the log of every change and refusal, with the reason',
    description:
      'Shows the decision log: every change, every hold and every refusal, with its cause and its reason.',
  },
  [list, tail, verify, prove, checkpoint, exportLog],
);

/** With the checkpoint that a log begins with whose older part was deleted, and the notes of later logs, which verify needs. */
async function listEvents(settings: DecisionLogSettings, cli: Cli): Promise<void> {
  let isFirst = true;
  for await (const each of readChain(settings, cli, (event, record) => ({ event, record }))) {
    const { event, record } = each;
    const size = record.kind === 'checkpoint' ? record.checkpoint.tree.size : undefined;
    if (size === undefined || (size === 0) !== isFirst) cli.screen.jsonLine(parseJson(event));
    isFirst = false;
  }
}

async function* readLog(
  settings: DecisionLogSettings,
  cli: Cli,
  from: string,
  follow: boolean,
  { subject }: Filter,
): AsyncIterable<Decision> {
  for await (const decision of readDecisions(settings, cli, { from, follow }))
    if (isAbout(decision, subject)) yield decision;
}

/** The command that approves a hold; undefined for every other decision, and for a hold that has ended. */
type Approvals = (decision: Decision) => string | undefined;

/** Reads the log once more: what ends a hold comes after it. */
async function readApprovals(
  settings: DecisionLogSettings,
  cli: Cli,
  from: string | undefined,
  filter: Filter,
): Promise<Approvals> {
  if (filter.json || from === undefined || !hasDecisionLog(settings)) return approvalsIn([]);
  return approvalsIn(readLog(settings, cli, from, false, filter));
}

/** `decisions`: the hold and all later ones of its subject. A hold that is not among them is newer, so it is open. */
async function approvalsIn(decisions: AsyncIterable<Decision> | Iterable<Decision>): Promise<Approvals> {
  const { open, ids } = await holdsIn(decisions);
  const openById = new Map([...open.values()].map((hold) => [hold.decisionId, hold]));
  return ({ id, outcome, reason }) => {
    if (outcome !== 'held' || !isApprovable(reason)) return undefined;
    const hold = ids.has(id) ? openById.get(id) : { decisionId: id, rejectedBy: null };
    return hold && approveCommand(hold);
  };
}

function print(decision: Decision, filter: Filter, approvals: Approvals, cli: Cli): void {
  if (filter.json) {
    cli.screen.jsonLine(toCloudEvent(decision));
    return;
  }
  cli.screen.line(decisionText(decision, cli.screen.colors));
  const command = approvals(decision);
  if (command !== undefined) cli.screen.text(`    ${command}`);
}

function isAbout(decision: Decision, subject: string | undefined): boolean {
  if (subject === undefined) return true;
  return subject.endsWith('/') ? decision.subject.startsWith(subject) : decision.subject === subject;
}
