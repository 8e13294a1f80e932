import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { IncompleteRead, messageOf, SyncError } from '../../errors.js';
import { isRecord } from '../../model/is-record.js';
import type { Raw } from '../reader.js';

const API_VERSION = 'consul.hashicorp.com/v1alpha1';

/** A custom resource of consul-k8s. */
export interface Manifest {
  readonly kind: 'ServiceIntentions' | 'ServiceDefaults';
  readonly metadata: Raw;
  readonly spec: Raw;
}

/** Without aliases, which could make a small file large. Duplicate keys: the check is quadratic, and the last one counts. */
const PARSE = { maxAliasCount: 0, uniqueKeys: false, logLevel: 'error' } as const;

/**
 * The manifest as YAML, below its header. Every text is quoted: kubectl reads YAML 1.1, which reads `on` and `1_0` as other types.
 * Characters that YAML 1.1 takes for line breaks, and invisible ones, are escaped. Throws ERR_CONSUL_REJECTED for a manifest
 * that would not read back as it is.
 */
export function toManifestText(header: string, { kind, metadata, spec }: Manifest): string {
  const document = { apiVersion: API_VERSION, kind, metadata, spec };
  const yaml = stringify(document, {
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  }).replace(UNSAFE, toEscape);
  const text = `${header}\n${yaml}`;
  if (LONE_SURROGATE.test(yaml) || !isDeepStrictEqual(parse(text, PARSE), document)) {
    const message = `the ${kind} manifest of ${String(metadata.name)} has text that YAML cannot hold; remove the unusual characters from the service name or the rule`;
    throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }
  return text;
}

export function brokenManifest(file: string, why: string): IncompleteRead {
  return new IncompleteRead('ERR_CONSUL_INCOMPLETE', `the manifest ${file}: ${why}`, { retriable: true });
}

/** Throws ERR_CONSUL_INCOMPLETE, which names the file, for anything but one resource of this kind. */
export function parseManifest(text: string, kind: Manifest['kind'], file: string): Manifest {
  const broken = (why: string) =>
    brokenManifest(file, `${why}; restore the file, or delete it so that scopemesh writes it again`);
  let value: unknown;
  try {
    value = parse(text, PARSE);
  } catch (error) {
    throw broken(`it is no valid YAML (${messageOf(error).split('\n')[0]})`);
  }
  if (!isRecord(value) || value.kind !== kind || value.apiVersion !== API_VERSION)
    throw broken(`it is no ${kind} of ${API_VERSION}`);
  const { metadata, spec } = value;
  if (!isRecord(metadata) || !isRecord(spec)) throw broken('it has no metadata or no spec');
  return { kind, metadata, spec };
}

const UNSAFE = /[\x7f-\x9f\u2028\u2029\ufffe\uffff]|\p{Cf}/gu;
/** JSON.stringify, with which the library quotes, escapes only what is half of a pair. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/i;

function toEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = (length: number) => code.toString(16).padStart(length, '0');
  return code > 0xffff ? `\\U${digits(8)}` : `\\u${digits(4)}`;
}

/** Names that are not the Consul name with a small first letter. */
const SPELLINGS: Readonly<Record<string, string>> = {
  HTTP: 'http',
  JWT: 'jwt',
};
const CONSUL_SPELLINGS = Object.fromEntries(Object.entries(SPELLINGS).map(([consul, crd]) => [crd, consul]));

/** Fields of Consul as the custom resources spell them, at every depth. */
export function toSpec(value: unknown): unknown {
  return renamed(value, (name) =>
    Object.hasOwn(SPELLINGS, name) ? SPELLINGS[name] : name.charAt(0).toLowerCase() + name.slice(1),
  );
}

/** The reverse of `toSpec`. */
export function fromSpec(value: unknown): unknown {
  return renamed(value, (name) =>
    Object.hasOwn(CONSUL_SPELLINGS, name)
      ? CONSUL_SPELLINGS[name]
      : name.charAt(0).toUpperCase() + name.slice(1),
  );
}

function renamed(value: unknown, rename: (name: string) => string | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [rename(name) ?? name, renamed(inner, rename)]),
  );
}
