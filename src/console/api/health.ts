import { readStatus, type Status, type StatusParts } from '../../daemon/status.js';
import { NEVER } from '../../linked-signal.js';
import { REVOCATION_STATES } from '../../state/open-revocations.js';
import type { Fault, Health } from '../answers.js';
import { beginAnswer, type ConsoleParts } from './parts.js';
import { isLateRead, readNow } from './status.js';

type Findings = Health['findings'];

const MAX_PARKED = 20;

/** `GET /api/health`. `unready`: why this replica does not know the world; its status it knows all the same. */
export async function readHealth({
  unready,
  ...parts
}: ConsoleParts & StatusParts & { readonly unready: Fault | undefined }): Promise<Health> {
  const [status, now] = await Promise.all([
    readStatus(parts),
    unready === undefined ? readNow(parts, NEVER) : undefined,
  ]);
  const { asOf, unknown } = now ?? (await beginAnswer(parts));
  const { deps } = parts.live();
  const { leading, queue, parked, parkedCount } = status;
  const at = deps.clock.now();
  const ago = (seconds: number) => new Date(at - seconds * 1000).toISOString();
  const reads = readsOf(status, unready === undefined);
  const providers = providersOf(status, unready === undefined, at);
  return {
    asOf,
    complete: now?.complete === true,
    unknown: unready === undefined ? unknown : [unready.error],
    findings: [...findingsOf(status, { reads, providers, ago }), ...(now?.findings ?? [])],
    leading: leading && {
      ...{ replica: leading.replica, host: leading.host, address: leading.address },
      ...{ since: leading.since, isAlive: leading.isAlive },
    },
    mappingRevision: status.mappingRevision,
    replicas: status.replicas.map(({ replica, host, address, version, startedAt, mapping, ...rest }) => ({
      ...{ replica, host, address, version, startedAt },
      ...{ mode: mapping.mode, mappingRevision: mapping.revision },
      ...{ leads: rest.leader, seenSeconds: rest.seenSeconds },
    })),
    reads,
    queue: {
      ...{ ...queue, parked: parkedCount, unpublished: status.outboxDecisions },
      oldestSeconds:
        unready === undefined
          ? Math.max(...REVOCATION_STATES.map((state) => deps.revocations.oldestSeconds(state, at)))
          : null,
    },
    parked: parked.slice(0, MAX_PARKED),
    providers,
  };
}

function readsOf(status: Status, isKnown: boolean): Health['reads'] {
  const read = (name: string, ageSeconds: number | null, of: Parameters<typeof isLateRead>[1]) => ({
    ...{ name, ageSeconds },
    isLate: isKnown ? isLateRead(ageSeconds, of) : null,
  });
  return [
    ...Object.entries(status.watchAgeSeconds).map(([table, age]) => read(`watch of ${table}`, age, 'watch')),
    read('comparison with Consul', status.sweepAgeSeconds, 'comparison'),
    ...status.directories.map(({ provider, ageSeconds }) =>
      read(`directory of ${provider}`, ageSeconds, 'directory'),
    ),
  ];
}

function providersOf({ providers, unread }: Status, isReady: boolean, now: number): Health['providers'] {
  const latest = (...instants: readonly (string | null | undefined)[]) =>
    instants
      .flatMap((each) => each ?? [])
      .toSorted()
      .at(-1) ?? null;
  return providers.map(({ provider, kind, webhook, poll, signals, directory, pause, rechecks }) => {
    const error = unread.find(({ side }) => side === `provider/${provider}`)?.why ?? null;
    const isKnown = isReady && directory.readAt !== null;
    return {
      ...{ name: provider, kind, error, rechecks, readAt: directory.readAt, clients: directory.clients },
      state: pause !== null ? 'paused' : error !== null ? 'unread' : isKnown ? 'answers' : 'unknown',
      lastEventAt: latest(webhook?.lastEventAt, poll?.lastEventAt, signals?.lastEventAt),
      lastPollAt: latest(poll?.lastPollAt, signals?.lastPollAt),
      pause: pause && {
        why: pause.why,
        since: new Date(now - pause.sinceSeconds * 1000).toISOString(),
        until: new Date(now + pause.remainingSeconds * 1000).toISOString(),
      },
    };
  });
}

const PAUSES = {
  'rate-limit': {
    what: 'answers that scopemesh asks too often',
    remedy: 'Wait, or give scopemesh a higher limit at the identity provider.',
  },
  credentials: {
    what: 'refuses the credentials of scopemesh',
    remedy: 'Renew the secret or the key of scopemesh at the identity provider; scopemesh doctor says which.',
  },
} as const;

/** What is wrong with the process itself; what is wrong with the mesh is in the state of now. */
function* findingsOf(
  status: Status,
  { reads, providers, ago }: Pick<Health, 'reads' | 'providers'> & { ago: (seconds: number) => string },
): Iterable<Findings[number]> {
  const { leading, leaderlessSeconds, differing, webhooks, configuration } = status;
  if (leading?.isAlive !== true)
    yield {
      what: 'No replica leads: nothing changes in Consul.',
      since: ago(leaderlessSeconds),
      remedy: 'Run scopemesh doctor where a replica should run.',
    };
  if (differing.length > 0)
    yield {
      what: `${differing.length === 1 ? 'One replica has' : `${differing.length} replicas have`} another mapping or mode than this one.`,
      since: null,
      remedy: 'Give every replica the same file.',
    };
  for (const { name, ageSeconds, isLate } of reads)
    if (isLate === true)
      yield {
        what: `The ${name} ${ageSeconds === null ? 'never ended' : 'is late'}.`,
        since: ageSeconds === null ? null : ago(ageSeconds),
        remedy: 'Run scopemesh doctor: it says what is in the way.',
      };
  for (const { name, pause } of providers)
    if (pause !== null) {
      const { what, remedy } = PAUSES[pause.why];
      yield { what: `${name} ${what}.`, since: pause.since, remedy };
    }
  for (const { provider, signals, subscriptions } of status.providers) {
    if (signals?.isSilent === true)
      yield {
        what: `${provider} has sent no signal for much longer than usual.`,
        since: signals.lastEventAt,
        remedy: 'Look at the stream of shared signals at the identity provider.',
      };
    for (const { name, expiresAt } of subscriptions)
      if (expiresAt !== null && expiresAt < ago(0))
        yield {
          what: `The subscription ${name} of ${provider} has expired.`,
          since: expiresAt,
          remedy: 'Run scopemesh doctor: it says what keeps scopemesh from renewing it.',
        };
  }
  for (const { name, state, failing } of webhooks)
    if (state === 'failing' || state === 'unreadable')
      yield {
        what: `The webhook ${name} does not get decisions.`,
        since: failing?.since ?? null,
        remedy: 'Mend its receiver; scopemesh webhooks list shows the event that it waits for.',
      };
  if (configuration.waitingForRestart.length > 0)
    yield {
      what: `Settings wait for a restart: ${configuration.waitingForRestart.join(', ')}.`,
      since: null,
      remedy: 'Restart scopemesh.',
    };
}
