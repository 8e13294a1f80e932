import type { Protocol } from '../model/catalog.js';
import type { Cause } from '../model/cause.js';
import type { OAuthClient } from '../model/client.js';
import type { ChangeReason } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { type AgentCache, type Residual, UNKNOWN } from '../model/residual.js';
import { isOwned, isSourceOf } from './ownership.js';
import type { Change } from './plan.js';
import { opens, takesOver } from './precedence.js';
import { serviceText } from './world.js';

/** After these the provider issues no such token any more. */
const ENDED_AT_PROVIDER: ReadonlySet<string> = new Set<ChangeReason>([
  'ScopeRevoked',
  'ClientDisabled',
  'ClientDeleted',
  'MembershipRemoved',
  'RevocationUnconfirmed',
  'SessionRevoked',
]);
/** Whoever has the secret of such a client gets tokens until it is changed. */
const GOES_ON_AT_PROVIDER: ReadonlySet<string> = new Set<ChangeReason>(['ClientQuarantined']);
const MOST_FOREIGN = 20;

interface Issue {
  readonly reason: string;
  readonly cause: Cause;
  /** The client of the access; undefined if it is not known any more. */
  readonly client: OAuthClient | undefined;
}

/** What remains of an edge after a change that narrows it; undefined for another change. */
export function intentionResidual(
  change: Pick<Change, 'narrows' | 'after' | 'source' | 'reason'>,
  {
    destination,
    entry,
    wildcard,
    protocol,
    ...issue
  }: Omit<Issue, 'reason'> & {
    readonly destination: ServiceName;
    /** The entries of the destination, as the change was planned, and of `*`. */
    readonly entry: IntentionEntry | undefined;
    readonly wildcard: IntentionEntry | undefined;
    readonly protocol: Protocol;
  },
): Residual | undefined {
  if (!change.narrows) return undefined;
  const next = change.after === undefined ? takesOver(change.source, entry, wildcard) : undefined;
  const foreign = next !== undefined && opens(next.access) ? [edgeText(next.name, destination.name)] : [];
  return {
    ...(protocol === 'tcp' ? {} : { nextRequests: true }),
    openStreamsSeconds: UNKNOWN,
    ...accessTokens({ ...issue, reason: change.reason }),
    ...(foreign.length === 0 ? {} : { foreignAllows: foreign }),
  };
}

/** What remains of access to Consul; `cache` is undefined if it was not read. */
export function aclResidual(issue: Issue, cache: AgentCache | undefined): Residual {
  return { agentCache: cache ?? UNKNOWN, ...accessTokens(issue) };
}

/** What remains of a client in quarantine: its own edges have decisions of their own. */
export function quarantineResidual(
  issue: Issue,
  services: readonly ServiceName[],
  entries: ReadonlyMap<string, IntentionEntry>,
  owner: string,
): Residual {
  const foreign = foreignAllows(services, entries, owner);
  return { ...accessTokens(issue), ...(foreign.length === 0 ? {} : { foreignAllows: foreign }) };
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
      const decides = exact ?? takesOver(source, entry, wildcard);
      if (decides === undefined || !opens(decides.access) || isOwned(owner, decides)) continue;
      found.push(edgeText(decides.name, destination.name));
    }
  }
  return [...new Set(found)].toSorted().slice(0, MOST_FOREIGN);
}

/** The lifetime that a provider shows is the lower end of what its tokens may have: it cannot say when the last one ends. */
function accessTokens({ reason }: Issue): Pick<Residual, 'accessTokensUntil'> {
  const isApplicable = GOES_ON_AT_PROVIDER.has(reason) || ENDED_AT_PROVIDER.has(reason);
  return isApplicable ? { accessTokensUntil: UNKNOWN } : {};
}

function edgeText(source: string, destination: string): string {
  return `${source} -> ${destination}`;
}
