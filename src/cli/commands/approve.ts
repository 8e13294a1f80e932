import type { Config } from '../../../config/config.js';
import { configError, messageOf } from '../../errors.js';
import { localPerson, type Principal } from '../../model/cause.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import { fieldOf } from '../../model/field-of.js';
import { showQuarantines } from '../../operator/quarantine-records.js';
import {
  createRulings,
  quarantineSubject,
  type Rulings,
  type RulingVerdict,
} from '../../operator/rulings.js';
import { rejectedText } from '../../plan/guards/approval.js';
import type { ClientId } from '../../plan/world.js';
import type { RecordedHold } from '../../queue/journal.js';
import type { Cli } from '../cli.js';
import { findDaemon, refusal } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { hasDecisionLog } from '../has-decision-log.js';
import { withIdleStore } from '../one-shot.js';
import { readDecisions } from '../read-decision-log.js';
import { type HoldSelection, selectHolds } from '../select-holds.js';
import { printable } from '../terminal/screen.js';

interface Options extends Omit<HoldSelection, 'reason'> {
  readonly reason?: string;
}

/** A hold or a quarantine that a person has decided on. */
interface Ruled {
  readonly id: string;
  readonly subject: string;
  /** The approval is recorded, and another person must approve too. */
  readonly needsSecond?: true;
  /** Why the approval has no effect yet. */
  readonly waits?: string;
}

export function addApprove(program: DocumentedCommand, cli: Cli): void {
  const add = (verdict: RulingVerdict, summary: string, description: string, help: string) =>
    program
      .command(verdict)
      .summary(summary)
      .description(description)
      .argument('[id...]', 'IDs of held decisions, as scopemesh plan and decisions list print them')
      .option('--reason <reason>', 'instead of IDs: every held change with this reason, after showing them')
      .option('--client <client>', 'with --reason: only of this client (CLIENT-ID or PROVIDER/CLIENT-ID)')
      .option('--confirm <digest>', 'with --reason and without a terminal: the digest that the list printed')
      .option('--json', 'print one JSON document')
      .endHelp(help)
      .action((ids: readonly string[], options: Options) => ruleOnAll(ids, verdict, options, cli));
  add(
    'approve',
    'release a held change, end a quarantine, or open a break-glass grant',
    'Releases the held changes with these decision IDs, once. Their decisions name you. A running daemon makes the ' +
      'change at once; without one, the next scopemesh run or scopemesh apply does. For a client in quarantine, give ' +
      'PROVIDER/CLIENT-ID or the ID of one of its ClientQuarantined decisions: the quarantine ends. The ID of a ' +
      'break-glass grant that another person asked for opens it. With guards.approvers: 2 each of these needs two persons.',
    `
Exit status: 0; 1 if one of the IDs cannot be approved. A change that somebody rejected is refused
without --override.

You can approve removals that the mass guard holds (RevocationLimit), changes of sources that have
the mark without a record (MarkUnrecorded), what a leader with another mapping would open
(MappingDiffers), and the end of a quarantine. Every other hold ends when its reason is gone.

Examples:
  scopemesh approve 01JDXK4T0QJ5W3M8V7Z2R6N9PB
  scopemesh approve main/web-app

Look at the held removals of one client that nobody rejected, and approve them:
  scopemesh approve --reason RevocationLimit --client web-app`,
  ).option('--override', 'also approve a change that somebody rejected');
  add(
    'reject',
    'keep the access whose change is held',
    'Rejects the held changes with these decision IDs. The access stays until the change becomes a different one, or ' +
      'until the identity provider itself reports that the scope or client is gone.',
    `
Exit status: 0; 1 if one of the IDs cannot be rejected.

You can reject removals that the mass guard holds (RevocationLimit) and changes of sources that have
the mark without a record (MarkUnrecorded).

Example:
  scopemesh reject 01JDXK4T0QJ5W3M8V7Z2R6N9PB`,
  );
}

async function ruleOnAll(
  given: readonly string[],
  verdict: RulingVerdict,
  options: Options,
  cli: Cli,
): Promise<void> {
  const { reason } = options;
  if (
    (given.length === 0) === (reason === undefined) ||
    (reason === undefined && options.client !== undefined)
  )
    throw configError('write IDs, or --reason with or without --client');
  const config = await cli.openConfig();
  const ids = reason === undefined ? given : await selectHolds({ ...options, reason }, verdict, config, cli);
  if (ids === undefined) return cli.exit(1);
  const ruled: Ruled[] = [];
  const errors: { readonly id: string; readonly message: string }[] = [];
  await withRulings(config, cli, async (rulings) => {
    for (const id of ids) {
      try {
        ruled.push(await ruleOn(id, verdict, options.override === true, rulings, config, cli));
      } catch (error) {
        cli.signal.throwIfAborted();
        errors.push({ id, message: messageOf(error) });
      }
    }
  });
  const word = verdict === 'approve' ? 'approved' : 'rejected';
  if (options.json) cli.screen.json({ [word]: ruled, errors });
  else
    for (const { id, subject, needsSecond, waits } of ruled) {
      const second = needsSecond === true ? '  (another person must approve it too)' : '';
      const wait = waits === undefined ? '' : `  (it waits: ${waits})`;
      cli.screen.line(printable(`${word}  ${id}  ${subject}${second}${wait}`));
    }
  for (const { id, message } of errors) cli.screen.warn(printable(`scopemesh: ${id}: ${message}`));
  if (errors.length > 0) cli.exit(1);
}

async function ruleOn(
  id: string,
  verdict: RulingVerdict,
  override: boolean,
  rulings: Rulings,
  config: Config,
  cli: Cli,
): Promise<Ruled> {
  const by = localPerson(cli.context.user);
  // No decision ID has a slash.
  const slash = id.indexOf('/');
  if (slash > 0) {
    const client = { provider: id.slice(0, slash), clientId: id.slice(slash + 1) };
    return endQuarantine(id, client, verdict, rulings, by);
  }
  const result = await rulings.onHold(id, verdict, by, override);
  switch (result.kind) {
    case 'ruled':
      return { id, subject: result.hold.subject, ...definedFields({ waits: result.waits }) };
    case 'first':
      return { id, subject: result.hold.subject, needsSecond: true };
    case 'refused':
      throw refusal(result.why);
    case 'unsuitable':
      throw refusal(unsuitableText(result.hold, verdict));
    case 'rejected':
      throw refusal(`${rejectedText(result.rejection)}; to approve it anyway, add --override`);
    case 'unknown': {
      const decision = await findDecision(id, config, cli);
      if (decision?.reason === 'ClientQuarantined' && decision.client !== undefined)
        return endQuarantine(id, decision.client, verdict, rulings, by);
      throw refusal(
        decision === undefined
          ? 'no held change has this ID'
          : `this decision does not wait for a person: it is ${decision.outcome} (${decision.reason}), or its hold has ended`,
      );
    }
  }
}

async function endQuarantine(
  id: string,
  { provider, clientId }: ClientId,
  verdict: RulingVerdict,
  rulings: Rulings,
  by: Principal,
): Promise<Ruled> {
  if (verdict === 'reject')
    throw refusal('a quarantine cannot be rejected; it lasts until it is approved to end');
  const result = await rulings.release({ provider, clientId }, by);
  switch (result.kind) {
    case 'unknown':
      throw refusal(`client ${provider}/${clientId} is not in quarantine`);
    case 'refused':
      throw refusal(result.why);
    case 'first':
      return { id, subject: result.hold.subject, needsSecond: true };
    case 'ruled':
      return { id, subject: result.hold.subject };
  }
}

async function findDecision(id: string, config: Config, cli: Cli): Promise<Decision | undefined> {
  if (!hasDecisionLog(config)) return undefined;
  for await (const decision of readDecisions(config, cli, { from: 'start', follow: false }))
    if (decision.id === id) return decision;
  return undefined;
}

/** A daemon on this machine holds the store and acts at once, so it is asked first. Without one the store is opened. */
async function withRulings(
  config: Config,
  cli: Cli,
  use: (rulings: Rulings) => Promise<void>,
): Promise<void> {
  const daemon = await findDaemon(config, cli.signal);
  if (daemon !== undefined) {
    return use({
      // The daemon makes the principal of the user.
      async onHold(id, verdict, _by, override) {
        const path = `/api/holds/${encodeURIComponent(id)}/${verdict}`;
        const said = await daemon.post(path, { user: cli.context.user, override });
        if (said === undefined) return { kind: 'unknown' };
        const hold = { subject: textIn(said, 'subject') ?? '' };
        if (needsSecond(said)) return { kind: 'first', hold };
        return { kind: 'ruled', hold, ...definedFields({ waits: textIn(said, 'waits') }) };
      },
      async release({ provider, clientId }) {
        const path = `/api/quarantines/${encodeURIComponent(provider)}/${encodeURIComponent(clientId)}/release`;
        const said = await daemon.post(path, { user: cli.context.user });
        if (said === undefined) return { kind: 'unknown' };
        const subject = quarantineSubject({ provider, clientId });
        return { kind: needsSecond(said) ? 'first' : 'ruled', hold: { subject } };
      },
    });
  }
  await withIdleStore(config, cli, async (deps) => {
    // After the loss of a store the quarantine is only in Consul.
    await showQuarantines(deps, cli.signal);
    await use(createRulings(deps));
  });
}

function textIn(said: unknown, name: string): string | undefined {
  const value = fieldOf(said, name);
  return value === undefined ? undefined : String(value);
}

function needsSecond(said: unknown): boolean {
  return fieldOf(said, 'needsSecond') === true;
}

/** Why nobody can approve or reject a hold. */
function unsuitableText({ reason, detail = '' }: RecordedHold, verdict: RulingVerdict): string {
  const cannot = `this change is held as ${reason}, which a person cannot ${verdict}`;
  return detail === '' ? cannot : `${cannot}: ${detail}`;
}
