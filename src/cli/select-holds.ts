import { createHash } from 'node:crypto';
import type { Config } from '../../config/config.js';
import { hasDecisionLog } from '../app/has-decision-log.js';
import { configError } from '../errors.js';
import type { Decision } from '../model/decision.js';
import { isApprovable } from '../plan/holds.js';
import type { Cli } from './cli.js';
import { type DaemonClient, refusal } from './daemon-client.js';
import { readDecisions } from './read-decision-log.js';
import { findKnownHolds } from './recorded-holds.js';
import { confirm } from './terminal/confirm.js';

export interface HoldSelection {
  readonly reason: string;
  /** With or without its provider. */
  readonly client?: string | undefined;
  readonly override?: true | undefined;
  readonly json?: true;
  /** What an earlier list printed: this one must be the same. */
  readonly confirm?: string | undefined;
}

/**
 * The IDs of the holds that a person selects by what they are, after the person has seen them: on a terminal it asks, and
 * elsewhere it needs the digest of the list that was printed. Undefined if the person did not agree. Throws ERR_CONFIG.
 */
export async function selectHolds(
  selection: HoldSelection,
  verb: 'approve' | 'reject',
  config: Config,
  daemon: DaemonClient,
  cli: Cli,
): Promise<readonly string[] | undefined> {
  const { reason, client, override, json } = selection;
  if (!isApprovable(reason))
    throw configError(`--reason takes RevocationLimit or MarkUnrecorded: nobody can ${verb} other holds`);
  const known = await findKnownHolds(config, daemon, cli);
  if (known === undefined) throw refusal('the daemon does not show its holds, and no decision log is here');
  const holds = [...known]
    .filter(([, hold]) => hold.reason === reason && (override === true || hold.rejectedBy === null))
    .map(([key, hold]) => ({ ...hold, subject: key.slice(0, -reason.length - 1) }))
    .toSorted((a, b) => (a.decisionId < b.decisionId ? -1 : 1));
  const decisions = await decisionsOf(new Set(holds.map(({ decisionId }) => decisionId)), config, cli);
  const clientOf = (id: string) => {
    const found = decisions.get(id)?.client;
    return found === undefined ? [] : [`${found.provider}/${found.clientId}`, found.clientId];
  };
  const selected = holds.filter(({ decisionId }) => {
    return client === undefined || clientOf(decisionId).includes(client);
  });
  if (selected.length === 0) throw refusal('no held change has this reason and client');
  const ids = selected.map(({ decisionId }) => decisionId);
  const digest = createHash('sha256').update(ids.join(' ')).digest('hex').slice(0, 12);
  if (selection.confirm === digest) return ids;
  const print = json === true ? cli.screen.warn : cli.screen.text;
  for (const { decisionId, subject, since, detail = '' } of selected) {
    const [found] = clientOf(decisionId);
    const whose = found === undefined ? '' : `  client ${found}`;
    print(`${decisionId}  ${subject}${whose}  held since ${since}  ${detail}`.trimEnd());
  }
  if (selection.confirm !== undefined)
    throw refusal(
      `these are not the changes of --confirm ${selection.confirm}; look at them, then use --confirm ${digest}`,
    );
  if (!cli.screen.isInteractive)
    throw refusal(
      `to ${verb} exactly these ${ids.length} changes, repeat the command with --confirm ${digest}`,
    );
  return (await confirm(cli, `${verb} these ${ids.length} changes?`)) ? ids : undefined;
}

/** A hold does not say for which client it is; its decision does. */
export async function decisionsOf(
  ids: ReadonlySet<string>,
  config: Config,
  cli: Cli,
): Promise<ReadonlyMap<string, Decision>> {
  const found = new Map<string, Decision>();
  if (!hasDecisionLog(config)) return found;
  for await (const decision of readDecisions(config, cli, { from: 'start', follow: false })) {
    if (ids.has(decision.id)) found.set(decision.id, decision);
    if (found.size === ids.size) break;
  }
  return found;
}
