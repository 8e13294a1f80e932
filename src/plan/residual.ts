import type { Protocol } from '../model/catalog.js';
import type { ChangeReason } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { type AgentCache, type Residual, UNKNOWN } from '../model/residual.js';
import { isOwned, isSourceOf } from './ownership.js';
import type { Change } from './plan.js';
import { allowsAnything, fallbackIntention } from './precedence.js';
import { serviceText } from './world.js';

/** Tokens that the provider issued before live on after these. In quarantine, the holder of the secret even gets new ones. */
const TOKENS_LIVE_ON: ReadonlySet<string> = new Set<ChangeReason>([
  'ScopeRevoked',
  'ClientDisabled',
  'ClientDeleted',
  'MembershipRemoved',
  'RevocationUnconfirmed',
  'SessionRevoked',
  'ClientQuarantined',
]);
const MAX_FOREIGN = 20;

/** What remains of an edge after a change that narrows it; undefined for another change. */
export function intentionResidual(
  change: Pick<Change, 'narrows' | 'after' | 'source' | 'reason'>,
  {
    destination,
    entry,
    wildcard,
    protocol,
    isManifest,
  }: {
    readonly destination: ServiceName;
    /** The entries of the destination, as the change was planned, and of `*`. */
    readonly entry: IntentionEntry | undefined;
    readonly wildcard: IntentionEntry | undefined;
    readonly protocol: Protocol;
    /** Whether the write goes to a manifest. */
    readonly isManifest: boolean;
  },
): Residual | undefined {
  if (!change.narrows) return undefined;
  const next = change.after === undefined ? fallbackIntention(change.source, entry, wildcard) : undefined;
  const foreign =
    next !== undefined && allowsAnything(next.access) ? [edgeText(next.name, destination.name)] : [];
  return {
    ...(protocol === 'tcp' ? {} : { nextRequests: true }),
    openStreamsSeconds: UNKNOWN,
    ...accessTokens(change.reason),
    ...(isManifest ? { untilSynced: true } : {}),
    ...(foreign.length === 0 ? {} : { foreignAllows: foreign }),
  };
}

/** What remains of access to Consul; `cache` is undefined if it was not read. */
export function aclResidual(reason: string, cache: AgentCache | undefined): Residual {
  return { agentCache: cache ?? UNKNOWN, ...accessTokens(reason) };
}

/** What remains of a client in quarantine: its own edges have decisions of their own. */
export function quarantineResidual(
  services: readonly ServiceName[],
  entries: ReadonlyMap<string, IntentionEntry>,
  owner: string,
): Residual {
  const foreign = foreignAllows(services, entries, owner);
  return {
    ...accessTokens('ClientQuarantined'),
    ...(foreign.length === 0 ? {} : { foreignAllows: foreign }),
  };
}

/** The intentions of others that decide about one of the services and let it in. */
function foreignAllows(
  services: readonly ServiceName[],
  entries: ReadonlyMap<string, IntentionEntry>,
  owner: string,
): readonly string[] {
  const found: string[] = [];
  for (const entry of entries.values()) {
    const { destination } = entry;
    const wildcard = entries.get(serviceText({ ...destination, name: '*' }));
    for (const source of services) {
      const exact = entry.sources.find((each) => each.peer === undefined && isSourceOf(each, source));
      const decides = exact ?? fallbackIntention(source, entry, wildcard);
      if (decides === undefined || !allowsAnything(decides.access) || isOwned(owner, decides)) continue;
      found.push(edgeText(decides.name, destination.name));
    }
  }
  return [...new Set(found)].toSorted().slice(0, MAX_FOREIGN);
}

/** The lifetime that a provider shows is the lower end of what its tokens may have: it cannot say when the last one ends. */
function accessTokens(reason: string): Pick<Residual, 'accessTokensUntil'> {
  return TOKENS_LIVE_ON.has(reason) ? { accessTokensUntil: UNKNOWN } : {};
}

function edgeText(source: string, destination: string): string {
  return `${source} -> ${destination}`;
}
