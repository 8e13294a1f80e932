import type { Command } from 'commander';
import type { Config } from '../../../config/config.js';
import { messageOf, SyncError } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { restoreClientBlocks } from '../../reconcile/client-blocks.js';
import { createRulings, type Rulings, type Verdict } from '../../reconcile/rulings.js';
import type { Cli } from '../cli.js';
import { createCore } from '../create-core.js';
import { findDaemon } from '../daemon-client.js';
import { hasDecisionLog } from '../has-decision-log.js';
import { openStoreAlone } from '../one-shot.js';
import { printable } from '../terminal/screen.js';

interface Options {
  readonly json?: true;
}

/** What was ruled on. */
interface Ruled {
  readonly id: string;
  readonly subject: string;
}

export function addApprove(program: Command, cli: Cli): void {
  const add = (verdict: Verdict, summary: string, description: string) =>
    program
      .command(verdict)
      .summary(summary)
      .description(description)
      .argument('<id...>', 'ids of decisions: see scopemesh decisions list')
      .option('--json', 'print one JSON document')
      .addHelpText(
        'after',
        `
Exit status: 0; 1 if one of them cannot be ruled on.

Only what waits for a person can be ruled on: removals that the mass guard holds (RevocationLimit),
and the release of a client in quarantine (the id of one of its ClientQuarantined decisions). What
is held for another reason is released by mending that reason.

Example:
  scopemesh decisions list --json |
    jq -r 'select(.data.reason == "RevocationLimit").id' | xargs scopemesh ${verdict}`,
      )
      .action((ids: readonly string[], options: Options) => ruleOnAll(ids, verdict, options, cli));
  add(
    'approve',
    'let a held removal pass, or release a quarantine',
    'Lets exactly the held removals of these decisions pass once; the decision names you. A running daemon does it at ' +
      'once, else the next run or apply does. Of a quarantined client: ends the quarantine.',
  );
  add(
    'reject',
    'keep an edge whose removal is held',
    'Says of the held removals of these decisions that they are not wanted: the edges stay, until the removal becomes ' +
      'another one or the IdP itself says that the scope or client is gone.',
  );
}

async function ruleOnAll(
  ids: readonly string[],
  verdict: Verdict,
  options: Options,
  cli: Cli,
): Promise<void> {
  const config = await cli.openConfig();
  const ruled: Ruled[] = [];
  const errors: { readonly id: string; readonly message: string }[] = [];
  await withRulings(config, cli, async (rulings) => {
    for (const id of ids) {
      try {
        ruled.push(await ruleOn(id, verdict, rulings, config, cli));
      } catch (error) {
        cli.signal.throwIfAborted();
        errors.push({ id, message: messageOf(error) });
      }
    }
  });
  const word = verdict === 'approve' ? 'approved' : 'rejected';
  if (options.json) cli.screen.json({ [word]: ruled, errors });
  else for (const { id, subject } of ruled) cli.screen.line(printable(`${word}  ${id}  ${subject}`));
  for (const { id, message } of errors) cli.screen.warn(printable(`scopemesh: ${id}: ${message}`));
  if (errors.length > 0) cli.exit(1);
}

async function ruleOn(
  id: string,
  verdict: Verdict,
  rulings: Rulings,
  config: Config,
  cli: Cli,
): Promise<Ruled> {
  const by = { id: cli.around.user };
  const result = await rulings.onHold(id, verdict, by);
  if (result.kind === 'ruled') return { id, subject: result.hold.subject };
  if (result.kind === 'unsuitable') {
    const { reason, detail = '' } = result.hold;
    throw refusal(`held as ${reason}, which nobody can ${verdict}: ${detail}`);
  }
  const decision = await findDecision(id, config, cli);
  if (decision?.reason === 'ClientQuarantined' && decision.client !== undefined) {
    if (verdict === 'reject') throw refusal('a quarantine stays until it is approved to end');
    const { provider, clientId } = decision.client;
    if (!(await rulings.release({ provider, clientId }, by)))
      throw refusal(`client ${provider}/${clientId} is in no quarantine any more`);
    return { id, subject: `quarantine of ${provider}/${clientId}` };
  }
  throw refusal(
    decision === undefined
      ? 'no held change has this id'
      : `nothing waits for a person here: this decision is ${decision.outcome} (${decision.reason}), or its hold has ended`,
  );
}

async function findDecision(id: string, config: Config, cli: Cli): Promise<Decision | undefined> {
  if (!hasDecisionLog(config)) return undefined;
  const log = await cli.around.parts.openDecisionLog(config, cli.runtime(true));
  try {
    for await (const decision of log.read({ from: 'start', follow: false }, cli.signal))
      if (decision.id === id) return decision;
    return undefined;
  } finally {
    await log.close();
  }
}

/** Through the daemon where one runs here, for it holds the store and acts at once; else by opening the store. */
async function withRulings(
  config: Config,
  cli: Cli,
  use: (rulings: Rulings) => Promise<void>,
): Promise<void> {
  const daemon = await findDaemon(config, cli.signal);
  if (daemon !== undefined) {
    await use({
      async onHold(id, verdict, by) {
        const path = `/api/holds/${encodeURIComponent(id)}/${verdict}`;
        const said = await daemon.post(path, { principal: by.id });
        if (said === undefined) return { kind: 'unknown' };
        return { kind: 'ruled', hold: { ...NO_HOLD, decisionId: id, subject: subjectOf(said) } };
      },
      async release({ provider, clientId }, by) {
        const path = `/api/quarantines/${encodeURIComponent(provider)}/${encodeURIComponent(clientId)}/release`;
        return (await daemon.post(path, { principal: by.id })) !== undefined;
      },
    });
    return;
  }
  const runtime = cli.runtime(true);
  const store = await openStoreAlone(
    cli.around.parts,
    config,
    runtime,
    'a daemon holds the state directory but does not answer at http.listen; ask it where it listens, or stop it',
  );
  const consul = await cli.around.parts.openConsul(config.consul, config.owner, runtime);
  try {
    await store.queue.check();
    const { deps } = createCore(config, { consul, providers: [], store }, runtime);
    await restoreClientBlocks(deps);
    await use(createRulings(deps));
  } finally {
    await consul.close();
    await store.close();
  }
}

const NO_HOLD = { reason: 'RevocationLimit', since: '', fingerprint: '' } as const;

function subjectOf(said: unknown): string {
  return typeof said === 'object' && said !== null && 'subject' in said ? String(said.subject) : '';
}

function refusal(message: string): SyncError {
  return new SyncError('ERR_INTERNAL', message, { retriable: false });
}
