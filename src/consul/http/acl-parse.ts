import {
  ACL_BIND_TYPES,
  type AclAuthMethod,
  type AclBindingRule,
  type AclObject,
  type AclPolicy,
  type AclRole,
  type Stored,
} from '../../model/acl.js';
import { isZero } from '../../model/is-zero.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { parseConfig } from './acl-config.js';
import { parseDurationSeconds } from './acl-duration.js';
import type { Listed } from './answer.js';
import { OMITTED } from './json-elements.js';
import type { Operation } from './request.js';

/** Fields that every object has: modelled ones and those that Consul computes. */
const COMMON = ['ID', 'Name', 'Description', 'Namespace', 'Partition', 'Hash', 'CreateIndex', 'ModifyIndex'];
/** What Consul returns instead of content that the token cannot read. */
const HIDDEN = '<hidden>';

/** Each parses one object of its kind. */
const PARSERS = {
  'acl-policy': parsePolicy,
  'acl-role': parseRole,
  'acl-auth-method': parseAuthMethod,
  'acl-binding-rule': parseBindingRule,
} as const;

/**
 * Parses one object from the answer to a single read or a write. Throws ERR_CONSUL_INCOMPLETE for another shape, and if
 * rules or configuration are hidden.
 */
export function parseAclObject(kind: AclObject['kind'], value: unknown, operation: Operation) {
  const stored: Stored<AclObject['object']> = PARSERS[kind](value, operation);
  // The parser of a kind gives objects of that kind.
  return { object: { kind, object: stored.object } as AclObject, stored };
}

/**
 * Parses one object of a list. One that is too large was edited, as scopemesh makes none of that size: what was kept of it
 * counts, and it is written again.
 */
export function parseStored<T>(
  parse: (value: unknown, operation: Operation) => Stored<T>,
  { raw, size }: Listed,
  operation: Operation,
): Stored<T> {
  if (size === undefined) return parse(raw, operation);
  const kept = Object.entries(raw).filter(([, value]) => value !== OMITTED);
  return { ...parse({ Rules: '', Config: {}, ...Object.fromEntries(kept) }, operation), isAltered: true };
}

export function parsePolicy(value: unknown, operation: Operation): Stored<AclPolicy> {
  const reader = new Reader(operation);
  const raw = reader.record(value);
  const rules = reader.text(raw.Rules);
  if (rules === HIDDEN) throw incomplete(operation, 'the rules of a policy are hidden from the ACL token');
  return {
    id: reader.name(raw.ID),
    object: { name: reader.name(raw.Name), description: reader.optionalText(raw.Description), rules },
    isAltered: hasMore(raw, ['Rules']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseRole(value: unknown, operation: Operation): Stored<AclRole> {
  const reader = new Reader(operation);
  const raw = reader.record(value);
  const identities = reader.records(raw.ServiceIdentities);
  return {
    id: reader.name(raw.ID),
    object: {
      name: reader.name(raw.Name),
      description: reader.optionalText(raw.Description),
      policies: linkNames(raw.Policies, reader),
      serviceIdentities: sortedOnce(identities.map((each) => reader.name(each.ServiceName))),
    },
    isAltered:
      hasMore(raw, ['Policies', 'ServiceIdentities']) ||
      // An identity that is valid only in some datacenters.
      identities.some((identity) => hasMore(identity, ['ServiceName'])),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseAuthMethod(value: unknown, operation: Operation): Stored<AclAuthMethod> {
  const reader = new Reader(operation);
  const raw = reader.record(value);
  if (raw.Type !== 'jwt') throw incomplete(operation, 'an auth method of another type than jwt');
  if (raw.Config === undefined || raw.Config === null)
    throw incomplete(operation, 'the configuration of an auth method is hidden');
  const name = reader.name(raw.Name);
  const ttl = reader.optionalText(raw.MaxTokenTTL);
  const maxTokenTtlSeconds = ttl === '' ? 0 : parseDurationSeconds(ttl);
  if (maxTokenTtlSeconds === undefined) throw incomplete(operation, 'a MaxTokenTTL is not a duration');
  const { config, isAltered } = parseConfig(reader.record(raw.Config));
  return {
    id: name,
    object: { name, description: reader.optionalText(raw.Description), maxTokenTtlSeconds, config },
    isAltered:
      isAltered ||
      // An absent locality means `local`.
      (!isZero(raw.TokenLocality) && raw.TokenLocality !== 'local') ||
      hasMore(raw, ['Type', 'MaxTokenTTL', 'Config', 'TokenLocality']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

export function parseBindingRule(value: unknown, operation: Operation): Stored<AclBindingRule> {
  const reader = new Reader(operation);
  const raw = reader.record(value);
  const bindType = ACL_BIND_TYPES.find((type) => type === raw.BindType);
  if (bindType === undefined) throw incomplete(operation, 'a binding rule of an unknown BindType');
  return {
    id: reader.name(raw.ID),
    object: {
      description: reader.optionalText(raw.Description),
      authMethod: reader.name(raw.AuthMethod),
      bindType,
      bindName: reader.optionalText(raw.BindName),
      selector: reader.optionalText(raw.Selector),
    },
    isAltered: hasMore(raw, ['AuthMethod', 'BindType', 'BindName', 'Selector']),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

/** Names of linked policies or roles; Consul returns their current names. */
export function linkNames(value: unknown, reader: Reader): readonly string[] {
  return sortedOnce(reader.records(value).map(({ Name }) => reader.name(Name)));
}

export function sortedOnce(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted();
}

function hasMore(raw: Raw, modelled: readonly string[]): boolean {
  return Object.entries(raw).some(
    ([name, value]) => !COMMON.includes(name) && !modelled.includes(name) && !isZero(value),
  );
}
