import { messageOf } from '../../errors.js';
import { compareText } from '../../model/compare-text.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../../model/intention.js';
import { isRecord } from '../../model/is-record.js';
import { withoutComputed } from '../content.js';
import { parseEntry } from '../parse-entry.js';
import type { Raw } from '../reader.js';
import { toWireSource } from '../source-access.js';
import {
  brokenManifest,
  fromSpec,
  type Manifest,
  parseManifest,
  toManifestText,
  toSpec,
} from './manifest.js';
import type { ManifestDirectory, OwnFile } from './manifest-directory.js';
import { toResourceName } from './resource-name.js';

const KIND = 'ServiceIntentions';
export const INTENTIONS_PREFIX = 'serviceintentions.';

/** Of each manifest that scopemesh writes. */
export interface ManifestPlace {
  /** The partition of consul-k8s, which a resource does not name. */
  readonly partition: string;
  /** The Kubernetes namespace; without it the tool that applies the files chooses. */
  readonly namespace?: string | undefined;
}

export function intentionsFile(destination: ServiceName): string {
  return `${INTENTIONS_PREFIX}${toResourceName(destination)}.yaml`;
}

/** The reverse of `intentionsFile`; undefined for a name that has a hash. */
export function destinationOfFile(file: string): ServiceName | undefined {
  const name = file.slice(INTENTIONS_PREFIX.length, -'.yaml'.length);
  const destination = { partition: 'default', namespace: 'default', name };
  return intentionsFile(destination) === file ? destination : undefined;
}

/**
 * The entry that an own file describes, in the form of Consul's API: consul-k8s makes this of it. Throws
 * ERR_CONSUL_INCOMPLETE for content that is no ServiceIntentions, or of another destination than the file's name says.
 */
export function toEntry({ name: file, text, index }: OwnFile, { partition }: ManifestPlace): IntentionEntry {
  const { spec } = parseManifest(text, KIND, file);
  const { destination, ...rest } = spec;
  const place = isRecord(destination) ? destination : {};
  const fields = {
    Kind: 'service-intentions',
    Name: place.name,
    ...(partition === 'default' ? {} : { Partition: partition }),
    ...(place.namespace === undefined ? {} : { Namespace: place.namespace }),
    ...(fromSpec(rest) as Raw),
    ModifyIndex: index,
  };
  const entry = parse(fields, file);
  if (intentionsFile(entry.destination) === file) return entry;
  const why = `it describes the destination ${JSON.stringify(entry.destination.name)}, whose file is ${intentionsFile(entry.destination)}; rename or delete it`;
  throw brokenManifest(file, why);
}

function parse(fields: Raw, file: string): IntentionEntry {
  try {
    return parseEntry(fields, 'manifest');
  } catch (error) {
    throw brokenManifest(file, messageOf(error));
  }
}

/** The text of the file for these sources. */
export function toIntentionsText(
  destination: ServiceName,
  current: IntentionEntry | undefined,
  sources: readonly (IntentionSource | NewSource)[],
  before: OwnFile | undefined,
  place: ManifestPlace,
  header: ManifestDirectory['header'],
): string {
  return toManifestText(header, toResource(destination, current, sources, before, place));
}

/** What others added to the metadata of `before`, and fields beside the sources, stay. */
export function toResource(
  destination: ServiceName,
  current: IntentionEntry | undefined,
  sources: readonly (IntentionSource | NewSource)[],
  before: OwnFile | undefined,
  place: ManifestPlace,
): Manifest {
  const {
    Kind: _,
    Name: name,
    Namespace: namespace,
    Partition: __,
    Sources: ___,
    ...rest
  } = current?.raw ?? {};
  const { Meta: ____, ...kept } = withoutComputed(rest);
  const raws = sources.map(toWireSource);
  const consulNamespace =
    namespace ?? (destination.namespace === 'default' ? undefined : destination.namespace);
  return {
    kind: KIND,
    metadata: toMetadata(toResourceName(destination), place, metadataOf(before)),
    spec: {
      destination: {
        name: name ?? destination.name,
        ...(consulNamespace === undefined ? {} : { namespace: consulNamespace }),
      },
      ...(toSpec(kept) as Raw),
      sources: raws
        .toSorted((a, b) => compareText(sortKey(a), sortKey(b)))
        .map((raw) => toSpec(withoutConsulFields(raw))),
    },
  };
}

function metadataOf(file: OwnFile | undefined): Raw {
  return file === undefined ? {} : parseManifest(file.text, KIND, file.name).metadata;
}

/**
 * consul-k8s takes over an entry that it did not make only with the annotation, and only if the entry is equal. So entries
 * that scopemesh wrote through Consul's API before can become resources.
 */
export function toMetadata(name: string, { namespace }: ManifestPlace, before: Raw = {}): Raw {
  const { name: _, namespace: __, labels, annotations, ...rest } = before;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...(isRecord(labels) ? labels : {}), 'app.kubernetes.io/managed-by': 'scopemesh' },
    annotations: {
      ...(isRecord(annotations) ? annotations : {}),
      'consul.hashicorp.com/migrate-entry': 'true',
    },
    ...rest,
  };
}

/** What Consul computes, or has only for itself: the resource has no such fields. */
function withoutConsulFields({ Type: _, Precedence: __, ...raw }: Raw): Raw {
  return raw;
}

function sortKey({ Partition, Namespace, Peer, SamenessGroup, Name }: Raw): string {
  return JSON.stringify([Partition ?? '', Namespace ?? '', Peer ?? '', SamenessGroup ?? '', Name ?? '']);
}
