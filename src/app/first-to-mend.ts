import type { HoldReason } from '../model/decision.js';
import { toShellWord } from '../model/shell-word.js';
import { type Explanation, isAllowed } from '../plan/explain.js';
import { isApprovable } from '../plan/holds.js';
import type { Obstacle } from '../plan/reach.js';

/** What to do, and whose turn it is. `service`: who runs the service that calls, or its registration. */
export interface Remedy {
  readonly who: 'identity-provider' | 'mapping' | 'service' | 'consul' | 'scopemesh' | 'person';
  readonly what: string;
  /** The command in `what`, if it is one to run. */
  readonly command: string | null;
}

/** Ended by a change of what Consul has: an entry, its protocol, or who writes it. */
const HELD_BY_CONSUL: ReadonlySet<HoldReason> = new Set([
  'ForeignSource',
  'ManagedElsewhere',
  'LegacyEntry',
  'MarkLost',
  'Contended',
  'ProtocolUnsuitable',
  'EntryUnreadable',
]);

/** What to do first so that the call is allowed and arrives; undefined if nothing is in its way. */
export function firstToMend(explanation: Explanation, obstacles: readonly Obstacle[]): Remedy | undefined {
  if (!isAllowed(explanation.verdict)) return toAllow(explanation);
  const obstacle = obstacles.find(({ blocks }) => blocks) ?? obstacles[0];
  return obstacle && by('service', obstacle.remedy);
}

/** The command comes after the text. */
function by(who: Remedy['who'], what: string, command: string | null = null): Remedy {
  return { who, what: what + (command ?? ''), command };
}

/** From what a person decided, over the claim, the client and its scopes, to what only has to be written. */
function toAllow(explanation: Explanation): Remedy {
  const { source, destination, verdict, denied, holds, pending, candidates, defaultPolicy } = explanation;
  if (verdict === 'unclear')
    return by(
      'consul',
      'send the request: scopemesh cannot judge the intention that decides, and only Envoy can',
    );
  if (denied !== undefined)
    return by(
      'person',
      'let the deny expire, or end it: ',
      `scopemesh deny ${toShellWord(source.name)} ${toShellWord(destination.name)} --end`,
    );
  const missing = claimToMend(explanation) ?? clientToMend(explanation) ?? scopeToMend(explanation);
  if (missing !== undefined) return missing;
  const [hold] = holds;
  if (hold !== undefined)
    return by(
      isApprovable(hold.reason) ? 'person' : HELD_BY_CONSUL.has(hold.reason) ? 'consul' : 'scopemesh',
      `settle what holds the change: ${hold.reason}, ${hold.detail} (docs/reference/reasons.md)`,
    );
  if (pending !== undefined)
    return by(
      'scopemesh',
      'write the change that is due: scopemesh plan shows it, and scopemesh apply writes it',
    );
  if (candidates[0]?.isOwned === false)
    return by(
      'consul',
      `change the intention ${candidates[0].source} -> ${candidates[0].destination}, which scopemesh does not own`,
    );
  return defaultPolicy === 'unknown'
    ? by('consul', 'let the token of scopemesh read the default policy (agent:read)')
    : by('scopemesh', 'see what scopemesh would write: ', 'scopemesh plan');
}

function claimToMend({ claim, source }: Explanation): Remedy | undefined {
  switch (claim.kind) {
    case 'claimed':
      return undefined;
    case 'none':
      return by(
        'service',
        claim.vanished
          ? `register an instance of ${source.name} with its claim`
          : `register ${source.name} with the meta that names its OAuth client (services.clientMeta); scopemesh import proposes claims`,
      );
    case 'refused':
      return by('service', `correct the claim of ${source.name}: ${claim.reason}, ${claim.detail}`);
    case 'unrecorded':
      return claim.unreadableKey === undefined
        ? by('scopemesh', 'let scopemesh record the claim: start the daemon, or scopemesh apply')
        : by('consul', `delete or repair the key ${claim.unreadableKey} in Consul's KV`);
    case 'unknown':
      return by(
        'scopemesh',
        `let scopemesh read the provider ${claim.client.provider}: `,
        'scopemesh doctor',
      );
  }
}

function clientToMend({ client }: Explanation): Remedy | undefined {
  if (client === undefined) return undefined;
  const name = `${client.provider}/${client.clientId}`;
  const atProvider = (what: string, command?: string) => by('identity-provider', what, command);
  if (!client.isReadable)
    return atProvider(
      `correct the record of the client ${name} at the identity provider: `,
      'scopemesh doctor',
    );
  if (!client.exists)
    return atProvider(`create the client ${name} at the identity provider, or claim another one`);
  if (!client.enabled) return atProvider(`enable the client ${name} at the identity provider`);
  if (client.closure === 'ClientQuarantined')
    return by(
      'person',
      'change the secret of the client, or release it: ',
      `scopemesh approve ${toShellWord(name)}`,
    );
  return client.closure === undefined
    ? undefined
    : by('scopemesh', `let scopemesh read the client ${name}: `, 'scopemesh doctor');
}

function scopeToMend({
  client,
  openings,
  desired,
  destination,
  request,
  holds,
  candidates,
}: Explanation): Remedy | undefined {
  if (holds.length > 0 || desired?.kind === 'allow') return undefined;
  if (openings.length === 0)
    return (client?.limited.length ?? 0) > 0
      ? by(
          'mapping',
          `let clients of kind ${client?.actorKind} use the scope (actors), or give the client another one`,
        )
      : by(
          'identity-provider',
          `give the client a scope that a rule opens for ${destination.name}, or write a rule for one that it has`,
        );
  const [deciding] = candidates;
  return request !== undefined && deciding?.isOwned === true && deciding.access.kind === 'http'
    ? by(
        'identity-provider',
        `give the client a scope whose rule opens ${request.method} ${request.path}, or write one`,
      )
    : undefined;
}
