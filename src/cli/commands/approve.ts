import { z } from 'zod';
import type { Config } from '../../../config/config.js';
import { hasDecisionLog } from '../../app/has-decision-log.js';
import { configError, messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { toSegment } from '../../model/segment.js';
import { quarantineSubject, type Ruled, type RulingVerdict } from '../../operator/rulings.js';
import type { ClientId } from '../../plan/world.js';
import type { Cli } from '../cli.js';
import { type DaemonClient, refusal, runningDaemon } from '../daemon-client.js';
import type { DocumentedCommand } from '../documented-command.js';
import { readDecisions } from '../read-decision-log.js';
import { type HoldSelection, selectHolds } from '../select-holds.js';
import { ruledText } from '../terminal/ruled-text.js';
import { printable } from '../terminal/screen.js';

interface Options extends Omit<HoldSelection, 'reason'> {
  readonly reason?: string;
}

/** What the daemon answers to a ruling. */
const RuledBody = z.object({
  subject: z.string().exactOptional(),
  needsSecond: z.literal(true).exactOptional(),
  waits: z.string().exactOptional(),
});

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
    'Releases the held changes with these decision IDs, once. Their decisions name you. The running daemon makes the ' +
      'changes at once. For a client in quarantine, give PROVIDER/CLIENT-ID or the ID of one of its ClientQuarantined decisions: the quarantine ends. The ID of a ' +
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
  const daemon = await runningDaemon(cli);
  const ids =
    reason === undefined ? given : await selectHolds({ ...options, reason }, verdict, config, daemon, cli);
  if (ids === undefined) return cli.exit(1);
  const ruled: Ruled[] = [];
  const errors: { readonly id: string; readonly message: string }[] = [];
  for (const id of ids) {
    try {
      ruled.push(await ruleOn(id, verdict, options.override === true, daemon, config, cli));
    } catch (error) {
      cli.signal.throwIfAborted();
      errors.push({ id, message: messageOf(error) });
    }
  }
  const word = verdict === 'approve' ? 'approved' : 'rejected';
  if (options.json) cli.screen.json({ [word]: ruled, errors });
  else for (const each of ruled) cli.screen.line(`${word}  ${ruledText(each)}`);
  for (const { id, message } of errors) cli.screen.warn(printable(`scopemesh: ${id}: ${message}`));
  if (errors.length > 0) cli.exit(1);
}

async function ruleOn(
  id: string,
  verdict: RulingVerdict,
  override: boolean,
  daemon: DaemonClient,
  config: Config,
  cli: Cli,
): Promise<Ruled> {
  const endOf = (client: ClientId) => endQuarantine(id, client, verdict, daemon, cli);
  // No decision ID has a slash.
  const slash = id.indexOf('/');
  if (slash > 0) return endOf({ provider: id.slice(0, slash), clientId: id.slice(slash + 1) });
  // The daemon makes the principal of the user.
  const path = `/api/holds/${toSegment(id)}/${verdict}`;
  const said = await daemon.post(path, { user: cli.context.user, override });
  if (said !== undefined) return { id, subject: '', ...RuledBody.parse(said) };
  const decision = await findDecision(id, config, cli);
  if (decision?.reason === 'ClientQuarantined' && decision.client !== undefined)
    return endOf(decision.client);
  throw refusal(
    decision === undefined
      ? 'no held change has this ID'
      : `this decision does not wait for a person: it is ${decision.outcome} (${decision.reason}), or its hold has ended`,
  );
}

async function endQuarantine(
  id: string,
  { provider, clientId }: ClientId,
  verdict: RulingVerdict,
  daemon: DaemonClient,
  { context: { user } }: Cli,
): Promise<Ruled> {
  if (verdict === 'reject')
    throw refusal('a quarantine cannot be rejected; it lasts until it is approved to end');
  const path = `/api/quarantines/${toSegment(provider)}/${toSegment(clientId)}/release`;
  const said = await daemon.post(path, { user });
  if (said === undefined) throw refusal(`client ${provider}/${clientId} is not in quarantine`);
  return { id, ...RuledBody.parse(said), subject: quarantineSubject({ provider, clientId }) };
}

async function findDecision(id: string, config: Config, cli: Cli): Promise<Decision | undefined> {
  if (!hasDecisionLog(config)) return undefined;
  for await (const decision of readDecisions(config, cli, { from: 'start', follow: false }))
    if (decision.id === id) return decision;
  return undefined;
}
