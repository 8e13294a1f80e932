import type {
  Access,
  IntentionEntry,
  IntentionSource,
  JwtRequirement,
  ServiceName,
} from '../model/intention.js';
import { canonical } from '../plan/access.js';
import { isSourceName } from '../plan/claim-status.js';
import { entryBlock } from '../plan/entry-block.js';
import { isOwned, otherOwnerOf } from '../plan/ownership.js';
import { isPlainServiceName } from '../plan/pattern.js';
import { serviceText } from '../plan/world.js';
import type { Edge, ExplainedEdge, ProposalInput, UnexplainedEdge, UnexplainedReason } from './proposal.js';

/** An exact intention between two services of one place that allows something. */
export interface AllowedEdge extends Edge {
  readonly access: Access;
  readonly hold?: NonNullable<ExplainedEdge['hold']>;
}

/** The intentions that scopes may explain, and all others with the reason. What `select` leaves out is in neither. */
export function readEdges({ entries, mapping }: Pick<ProposalInput, 'entries' | 'mapping'>): {
  readonly edges: readonly AllowedEdge[];
  readonly unusable: readonly UnexplainedEdge[];
} {
  const edges: AllowedEdge[] = [];
  const unusable: UnexplainedEdge[] = [];
  for (const entry of entries) {
    const { destination } = entry;
    if (mapping.select?.hasService(destination) === false) continue;
    for (const source of entry.sources) {
      const edge = { source: placed(source), destination };
      const { access } = source;
      const why = reasonOf(source, entry, mapping);
      if (why === undefined && access.kind !== 'other') {
        const hold = entryBlock(entry)?.reason;
        edges.push({ ...edge, access: canonical(access), ...(hold === undefined ? {} : { hold }) });
      } else if (why !== undefined) unusable.push({ ...edge, reason: why[0], detail: why[1] });
    }
  }
  return { edges, unusable };
}

function placed({ partition, namespace, name }: ServiceName): ServiceName {
  return { partition, namespace, name };
}

type Why = readonly [reason: UnexplainedReason, detail: string];

function reasonOf(
  source: IntentionSource,
  { destination, sources }: IntentionEntry,
  { owner, protectedServices }: ProposalInput['mapping'],
): Why | undefined {
  const { access } = source;
  if (source.peer !== undefined)
    return [
      'OtherCluster',
      'the source is a service of another cluster, whose OAuth client is not known here',
    ];
  if (access.kind === 'deny')
    return ['Deny', 'no rule denies: what no scope opens is closed if the default policy is deny'];
  if (source.name === '*' || destination.name === '*')
    return [
      'Wildcard',
      'the intention allows every service, and a scope opens single ones; give the callers scopes, then remove it',
    ];
  const other = isOwned(owner, source) ? undefined : otherOwnerOf(owner, source.description);
  if (other !== undefined)
    return ['OtherInstance', `it belongs to the scopemesh instance with owner ${other}`];
  if (access.kind === 'other')
    return [
      'UnknownContent',
      'it has conditions that scopemesh does not write, such as a permission that denies',
    ];
  const tokens = access.kind === 'http' ? access.permissions.flatMap(({ jwt }) => jwt ?? []) : [];
  if (tokens.length > 0)
    return [
      'UserToken',
      `it requires a token of a user (${[...new Set(tokens.map(tokenText))].join('; ')}); write the rule yourself, with user: required`,
    ];
  if (source.partition !== destination.partition || source.namespace !== destination.namespace)
    return ['OtherPlace', 'a scope opens services only in the partition and namespace of the source'];
  if (!isSourceName(source.name))
    return ['UnsuitableName', 'a service with the name of the source cannot claim a client'];
  const name = destination.name.toLowerCase();
  if (!isPlainServiceName(name))
    return ['UnsuitableName', 'the name of the destination has other characters than a-z, 0-9 and -'];
  if (protectedServices.includes(name))
    return ['ProtectedDestination', 'guards.protected lists the destination'];
  const isTwice = sources.some(
    (each) => each !== source && each.peer === undefined && serviceText(each) === serviceText(source),
  );
  return isTwice ? ['UnknownContent', 'the entry has this source twice'] : undefined;
}

function tokenText({ provider, verifyClaims }: JwtRequirement): string {
  const claims = verifyClaims.map(({ path, value }) => `${path.join('/')} = ${value}`);
  return [`jwt-provider ${provider}`, ...claims].join(', ');
}
