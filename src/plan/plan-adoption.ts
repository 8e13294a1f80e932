import type { IntentionSource } from '../model/intention.js';
import { sameAccess } from './access.js';
import { desiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { entryBlock } from './entry-block.js';
import { policyOf } from './mode.js';
import { describeSource, isAnyMarked, isOwned, roomForText } from './ownership.js';
import { type Change, intentionResource, intentionSubject } from './plan.js';
import { serviceText } from './world.js';

/**
 * Adopts the unmarked sources of an entry that already allow exactly the desired access; only their Description changes: it
 * gets the mark and keeps its text. A source whose text does not fit beside the mark stays unchanged, and so do sources of
 * peers, of another instance, of a managed or a legacy entry.
 */
export function planAdoption(input: DestinationInput): readonly Change[] {
  const { entry, mapping } = input;
  if (entry === undefined || !policyOf(mapping).writes) return [];
  if (entryBlock(entry) !== undefined) return [];
  return entry.sources.flatMap((source) => adopt(source, input));
}

function adopt(source: IntentionSource, input: DestinationInput): readonly Change[] {
  const { destination, mapping, entry } = input;
  if (source.peer !== undefined || isOwned(mapping.owner, source) || isAnyMarked(source.description))
    return [];
  const name = { partition: source.partition, namespace: source.namespace, name: source.name };
  const claimStatus = input.claimStatuses.get(serviceText(name));
  if (claimStatus?.kind !== 'claimed' || source.access.kind === 'other') return [];
  const { access, client, scopes, opensBy } = desiredAccess(name, claimStatus, input, source);
  if (access === undefined || client === undefined || !sameAccess(access, source.access)) return [];
  const isTwice = entry?.sources.some(
    (other) => other !== source && other.peer === undefined && other.name === source.name,
  );
  if (isTwice === true) return [];
  if (Buffer.byteLength(source.description) > roomForText(mapping.owner, client)) return [];
  return [
    {
      subject: intentionSubject(destination, source.name),
      resource: intentionResource(destination, source.name),
      source: name,
      action: 'change',
      verb: 'updated',
      reason: 'Adopted',
      before: source.access,
      after: access,
      description: describeSource(mapping.owner, client, source.description),
      client,
      scopes,
      opensBy,
      isInferred: false,
      narrows: false,
      widens: false,
    },
  ];
}
