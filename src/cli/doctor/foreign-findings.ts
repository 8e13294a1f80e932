import { accessText } from '../../app/access-text.js';
import { isCaller } from '../../model/catalog.js';
import type { IntentionEntry, IntentionSource } from '../../model/intention.js';
import { toShellWord } from '../../model/shell-word.js';
import { covers } from '../../plan/access.js';
import { desiredAccess } from '../../plan/desired-access.js';
import { isOwned, otherOwnerOf } from '../../plan/ownership.js';
import { allowsAnything } from '../../plan/precedence.js';
import { serviceText } from '../../plan/world.js';
import { inputOf } from '../../state/fleet.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, warning } from './finding.js';

/** Intentions of others that allow more than the scopes do. Call it after both sides were read. */
export function foreignFindings(world: WorldState, now: number): readonly Finding[] {
  const foreign = [...world.entries.values()].flatMap((entry) =>
    entry.sources
      .filter((source) => !isOwned(world.mapping.owner, source) && allowsAnything(source.access))
      .map((source) => ({ entry, source })),
  );
  const found = foreign.map((each): Finding | undefined => {
    const { source, entry } = each;
    if (source.peer !== undefined) return undefined;
    if (source.name === '*' || entry.destination.name === '*') return wildcardFinding(each, world);
    return widerFinding(each, world, now);
  });
  return [
    ...found.filter((each) => each !== undefined),
    ...peerFindings(foreign.filter(({ source }) => source.peer !== undefined)),
  ];
}

interface Foreign {
  readonly entry: IntentionEntry;
  readonly source: IntentionSource;
}

/** An exact intention decides before a wildcard, so only pairs without one gain by it. */
function wildcardFinding({ entry, source }: Foreign, world: WorldState): Finding | undefined {
  const { destination } = entry;
  const others = (world.catalog?.services ?? []).filter(
    ({ name: { name } }) => name !== 'consul' && name !== destination.name,
  );
  const services = others.filter(({ instances }) => instances.some(({ kind }) => kind === ''));
  const decided = new Set(entry.sources.map(({ name }) => name));
  const callers =
    source.name === '*'
      ? others
          .filter(({ instances }) => instances.some(isCaller))
          .flatMap(({ name: { name } }) => (decided.has(name) ? [] : [name]))
      : [source.name];
  const where = `${source.name} -> ${destination.name}`;
  const gain =
    destination.name !== '*'
      ? `who gains by it, because no exact intention decides: ${namesText(callers) || 'nobody now'}`
      : `${source.name === '*' ? `each of ${callers.length} services` : source.name} may call each of ${services.length} services for which no more exact intention decides`;
  return warning(
    'mesh.wildcard',
    `the intention ${where}, which scopemesh does not own, allows ${accessText(source.access)}; ${gain}`,
    `give the callers scopes, then remove it: consul intention delete -- ${toShellWord(source.name)} ${toShellWord(destination.name)}`,
  );
}

/** A source with a claim that counts has scopes to compare with. */
function widerFinding({ entry, source }: Foreign, world: WorldState, now: number): Finding | undefined {
  const { name, namespace, partition, access } = source;
  // `select.overlap` reports what another instance wrote, and nobody should remove it by hand.
  if (otherOwnerOf(world.mapping.owner, source.description) !== undefined) return undefined;
  const serviceName = { name, namespace, partition };
  const status = world.claimStatuses(now).get(serviceText(serviceName));
  if (status?.kind !== 'claimed' || access.kind === 'other') return undefined;
  const { destination } = entry;
  const desired = desiredAccess(serviceName, status, inputOf(world, destination, now), undefined).access;
  if (covers(desired, access)) return undefined;
  const { provider, clientId } = status.client;
  return warning(
    'mesh.wider',
    `the intention ${name} -> ${destination.name}, which scopemesh does not own, allows ${accessText(access)}, but the scopes of its client ${provider}/${clientId} open ${accessText(desired)}`,
    `remove it (consul intention delete -- ${toShellWord(name)} ${toShellWord(destination.name)}); ${desired !== undefined && allowsAnything(desired) ? 'scopemesh then writes what the scopes open' : 'if the call is needed, give the client a scope that opens it first'}`,
  );
}

function* peerFindings(foreign: readonly Foreign[]): Iterable<Finding> {
  if (foreign.length === 0) return;
  const names = foreign.map(({ entry, source }) => {
    const of = typeof source.raw.SamenessGroup === 'string' && source.raw.SamenessGroup !== '';
    return `${source.name} of ${of ? 'the sameness group' : 'the peer'} ${source.peer} -> ${entry.destination.name}`;
  });
  yield notice(
    'mesh.peers',
    `intentions for services of other clusters, whose OAuth clients scopemesh does not know: ${namesText(names)}`,
    'no revocation at the identity provider closes them; remove those that are not needed',
  );
}
