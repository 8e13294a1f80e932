import { z } from 'zod';
import type { Config } from '../../../config/config.js';
import { configError } from '../../errors.js';
import { toSegment } from '../../model/segment.js';
import { quarantineSubject, type Ruled, type RulingVerdict } from '../../operator/rulings.js';
import type { ClientId } from '../../plan/world.js';
import type { Cli } from '../cli.js';
import { defineCommand, flag, option, severalArguments } from '../command.js';
import { type DaemonClient, refusal, runningDaemon } from '../daemon-client.js';
import { decisionsOf, type HoldSelection, selectHolds } from '../select-holds.js';
import { ruledText } from '../terminal/ruled-text.js';
import { tryEach } from '../try-each.js';

/** What the daemon answers to a ruling. */
const RULED = z.object({
  subject: z.string().exactOptional(),
  needsSecond: z.literal(true).exactOptional(),
  waits: z.string().exactOptional(),
});

const HELD = {
  id: severalArguments('IDs of held decisions, as scopemesh plan and decisions list print them', '[...]'),
  reason: option('<reason>', 'instead of IDs: every held change with this reason, after showing them'),
  client: option('<client>', 'with --reason: only of this client (CLIENT-ID or PROVIDER/CLIENT-ID)'),
  confirm: option('<digest>', 'with --reason and without a terminal: the digest that the list printed'),
};

export const approve = defineCommand({
  name: 'approve',
  summary: 'release a held change, end a quarantine, or open a break-glass grant',
  description:
    'Releases the held changes with these decision IDs, once. Their decisions name you. The running daemon makes the ' +
    'changes at once. For a client in quarantine, give PROVIDER/CLIENT-ID or the ID of one of its ClientQuarantined ' +
    'decisions: the quarantine ends. The ID of a break-glass grant that another person asked for opens it. With ' +
    'guards.approvers: 2 each of these needs two persons.',
  takes: { ...HELD, override: flag('also approve a change that somebody rejected') },
  json: 'print one JSON document',
  exit: `0; 1 if one of the IDs cannot be approved. A change that somebody rejected is refused
without --override.`,
  notes: `You can approve removals that the mass guard holds (RevocationLimit), changes of sources that have
the mark without a record (MarkUnrecorded), what a leader with another mapping would open
(MappingDiffers), and the end of a quarantine. Every other hold ends when its reason is gone.`,
  examples: [
    'scopemesh approve 01JDXK4T0QJ5W3M8V7Z2R6N9PB',
    'scopemesh approve main/web-app',
    'scopemesh approve --reason RevocationLimit --client web-app     # looks at its held removals first',
  ],
  run: (given, cli) => ruleOnAll('approve', given, cli),
});

export const reject = defineCommand({
  name: 'reject',
  summary: 'keep the access whose change is held',
  description:
    'Rejects the held changes with these decision IDs. The access stays until the change becomes a different one, or ' +
    'until the identity provider itself reports that the scope or client is gone.',
  takes: HELD,
  json: 'print one JSON document',
  exit: '0; 1 if one of the IDs cannot be rejected.',
  notes: `You can reject removals that the mass guard holds (RevocationLimit) and changes of sources that have
the mark without a record (MarkUnrecorded).`,
  examples: ['scopemesh reject 01JDXK4T0QJ5W3M8V7Z2R6N9PB'],
  run: (given, cli) => ruleOnAll('reject', given, cli),
});

async function ruleOnAll(
  verdict: RulingVerdict,
  given: Omit<HoldSelection, 'reason'> & {
    readonly id: readonly string[];
    readonly reason: string | undefined;
  },
  cli: Cli,
): Promise<void> {
  const { id: named, reason, client, override = false } = given;
  if ((named.length === 0) === (reason === undefined) || (reason === undefined && client !== undefined))
    throw configError('write IDs, or --reason with or without --client');
  const config = await cli.openConfig();
  const daemon = await runningDaemon(cli);
  const ids =
    reason === undefined ? named : await selectHolds({ ...given, reason }, verdict, config, daemon, cli);
  if (ids === undefined) return cli.exit(1);
  const ruling = { verdict, override, daemon, config };
  const { done, errors } = await tryEach(ids, (id) => ruleOn(id, ruling, cli), cli);
  const word = verdict === 'approve' ? 'approved' : 'rejected';
  if (given.json) cli.screen.json({ [word]: done, errors });
  else for (const each of done) cli.screen.line(`${word}  ${ruledText(each)}`);
  if (errors.length > 0) cli.exit(1);
}

interface Ruling {
  readonly verdict: RulingVerdict;
  readonly override: boolean;
  readonly daemon: DaemonClient;
  readonly config: Config;
}

async function ruleOn(id: string, ruling: Ruling, cli: Cli): Promise<Ruled> {
  // No decision ID has a slash.
  const slash = id.indexOf('/');
  if (slash > 0)
    return endQuarantine(id, { provider: id.slice(0, slash), clientId: id.slice(slash + 1) }, ruling, cli);
  const unknown = async () => {
    const decision = (await decisionsOf(new Set([id]), ruling.config, cli)).get(id);
    if (decision?.reason === 'ClientQuarantined' && decision.client !== undefined)
      return endQuarantine(id, decision.client, ruling, cli);
    throw refusal(
      decision === undefined
        ? 'no held change has this ID'
        : `this decision does not wait for a person: it is ${decision.outcome} (${decision.reason}), or its hold has ended`,
    );
  };
  const { verdict, override, daemon } = ruling;
  // The daemon makes the principal of the user.
  const body = { user: cli.context.user, override };
  const said = await daemon.post(`/api/holds/${toSegment(id)}/${verdict}`, body, RULED, { unknown });
  return { id, subject: '', ...said };
}

async function endQuarantine(
  id: string,
  { provider, clientId }: ClientId,
  { verdict, daemon }: Ruling,
  { context: { user } }: Cli,
): Promise<Ruled> {
  if (verdict === 'reject')
    throw refusal('a quarantine cannot be rejected; it lasts until it is approved to end');
  const path = `/api/quarantines/${toSegment(provider)}/${toSegment(clientId)}/release`;
  const unknown = `client ${provider}/${clientId} is not in quarantine`;
  const said = await daemon.post(path, { user }, RULED, { unknown });
  return { id, ...said, subject: quarantineSubject({ provider, clientId }) };
}
