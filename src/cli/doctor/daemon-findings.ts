import { z } from 'zod';
import type { Config } from '../../../config/config.js';
import { configRevision } from '../../../config/mapping-revision.js';
import type { KnownHolds } from '../../app/plan-view.js';
import { type Build, readBuild, versionText } from '../../app/version.js';
import type { HoldReason } from '../../model/decision.js';
import { isApprovable } from '../../plan/holds.js';
import type { DaemonClient } from '../daemon-client.js';
import { durationText } from '../terminal/duration-text.js';
import { retryCommand } from '../terminal/parked-text.js';
import { approveCommand } from '../terminal/plan-text.js';
import { type Finding, NAMES, namesText, notice, ok, warning } from './finding.js';
import { ReplicaView, replicaFindings } from './replica-findings.js';

const StatusBody = z.object({
  version: z.string(),
  commit: z.string().nullable(),
  parked: z.array(z.object({ key: z.string(), attempts: z.number(), error: z.string(), since: z.string() })),
  closures: z.array(z.object({ provider: z.string(), clientId: z.string(), closure: z.string() })).nullable(),
  replicas: z.array(ReplicaView),
  configuration: z.object({ revision: z.string(), waitingForRestart: z.array(z.string()) }),
});
type StatusBody = z.infer<typeof StatusBody>;
export type ReportedBlocks = NonNullable<StatusBody['closures']>;

/** What waits for a person, by the running daemon. `known`: its recorded holds, or those of the decision log. */
export function daemonFindings(
  { status, refusal }: Partial<Pick<DaemonClient, 'status' | 'refusal'>>,
  known: KnownHolds | undefined,
  config: Config,
  now: number,
): readonly Finding[] {
  const holds = [...approvableFindings(known ?? new Map())];
  const unread = (message: string, remedy: string) => [
    ...holds,
    ok('version', `this is scopemesh ${versionText(readBuild())}`),
    notice('daemon', message, remedy),
  ];
  if (refusal !== undefined)
    return unread(
      `the daemon does not show its status, so parked keys, quarantines and settings that wait for a restart are not checked: ${refusal}`,
      'run scopemesh doctor as the user of the daemon',
    );
  if (status === undefined)
    return unread(
      'no daemon answers at its address (http.admin, otherwise http.listen), so parked keys and settings that wait for a restart are not checked, and of quarantines only those in Consul',
      'run scopemesh doctor on the machine on which scopemesh run runs',
    );
  const parsed = StatusBody.safeParse(status);
  if (!parsed.success)
    return unread(
      'the running daemon has another version: parked keys, quarantines and settings that wait for a restart are not checked',
      'restart the daemon with this version of scopemesh',
    );
  return [
    ...holds,
    versionFinding(parsed.data),
    ...quarantineFindings(parsed.data.closures ?? []),
    ...replicaFindings(parsed.data.replicas),
    ...parkedFindings(parsed.data, config.resyncMs / 1000, now),
    settingFinding(parsed.data, config),
  ];
}

function versionFinding(daemon: Build): Finding {
  const [own, other] = [versionText(readBuild()), versionText(daemon)];
  return own === other
    ? ok('version', `this is scopemesh ${own}, and the daemon too`)
    : notice(
        'version',
        `this is scopemesh ${own}, and the daemon is ${other}`,
        'restart the daemon, or run the command of the version of the daemon',
      );
}

const WAITING: readonly (readonly [reason: HoldReason, text: (count: number) => string])[] = [
  [
    'RevocationLimit',
    (count) =>
      `the mass guard holds ${count} removals until a person approves or rejects them (RevocationLimit)`,
  ],
  [
    'MarkUnrecorded',
    (count) =>
      `${count} sources have the mark of scopemesh, but scopemesh has no record of writing them: they stay until a person approves or rejects the change (MarkUnrecorded)`,
  ],
  [
    'MappingDiffers',
    (count) =>
      `the leader took over with another mapping than the last leader had: ${count} changes that would open access wait until the files of all replicas agree or a person approves (MappingDiffers)`,
  ],
];

/** Changes that a person can approve or reject. */
function* approvableFindings(known: KnownHolds): Iterable<Finding> {
  const approvable = [...known.values()].filter(({ reason }) => isApprovable(reason));
  for (const [reason, text] of WAITING) {
    const waiting = approvable.filter((hold) => hold.reason === reason && hold.rejectedBy === null);
    if (waiting.length === 0) continue;
    const commands = waiting.slice(0, NAMES).map(approveCommand);
    const more = waiting.length > NAMES ? '; scopemesh plan lists the others' : '';
    const remedy = `check them with scopemesh plan, then run ${commands.join('; ')}${more}`;
    yield warning('holds', text(waiting.length), remedy);
  }
  const rejected = approvable.filter(({ rejectedBy }) => rejectedBy !== null).length;
  if (rejected > 0)
    yield notice(
      'holds.rejected',
      `${rejected} removals are rejected: the access stays`,
      'see scopemesh plan',
    );
}

/** Clients that an order closed. */
export function quarantineFindings(blocks: ReportedBlocks): readonly Finding[] {
  return blocks.map(({ provider, clientId, closure: block }) =>
    block === 'ClientQuarantined'
      ? warning(
          'quarantine',
          `client ${provider}/${clientId} is in quarantine, because its secret was reported as compromised`,
          `rotate its secret at the identity provider; to end the quarantine without that: scopemesh approve ${provider}/${clientId}`,
        )
      : warning(
          'unconfirmed',
          `client ${provider}/${clientId} is closed: an event reported it as disabled or deleted, and its directory cannot be read (${block})`,
          'make the directory readable; the next complete read opens or removes the access',
        ),
  );
}

function parkedFindings({ parked }: StatusBody, resyncSeconds: number, now: number): readonly Finding[] {
  if (parked.length === 0) return [ok('parked', 'no key is parked')];
  const often = durationText(resyncSeconds);
  return parked.map(({ key, attempts, error, since }) =>
    warning(
      'parked',
      `the key ${key} has been parked for ${durationText((now - Date.parse(since)) / 1000)}: ${attempts} attempts failed, the last with: ${error}`,
      `correct the cause, then run ${retryCommand(key)}; the daemon also retries a parked key at the next complete comparison (resync, every ${often}) and at the next event about it`,
    ),
  );
}

function settingFinding({ configuration }: StatusBody, config: Config): Finding {
  const { revision, waitingForRestart } = configuration;
  if (revision !== configRevision(config))
    return warning(
      'configuration',
      'the daemon runs with other settings than this file gives with this environment',
      'have the daemon read the file again (send it SIGHUP), then run scopemesh doctor again',
    );
  if (waitingForRestart.length > 0)
    return warning(
      'configuration',
      `these settings of the file take effect only at a restart of the daemon: ${namesText(waitingForRestart)}`,
      'restart the daemon',
    );
  return ok('configuration', 'the daemon runs with the settings of this file');
}
